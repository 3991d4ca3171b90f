import type { Database } from '../../../database/database.js';
import { NO_LETTERS } from '../../../database/dead-letters/dead-letter.js';
import { DeadLetterStore } from '../../../database/dead-letters/dead-letter-store.js';
import { KappaError } from '../../../kernel/errors.js';
import { formatPosition, latest, type PartitionKey, type Position } from '../../../kernel/position.js';
import { buildLabel, positionOf, type Build, type PartitionProgress } from '../build.js';
import { letterOwner } from '../dead-letters/letter-owner.js';
import { leaveHolds, lockProgress, readProgress, setHold, waitForProgress } from '../hold-builds.js';
import type { VerifyResult } from '../operations.js';
import { sharedPosition } from '../shared-position.js';
import { compareTables } from './compare-tables.js';

export interface VerifyOptions {
  /** Differing rows to show at most. Default 10. */
  readonly samples?: number;
  /** Both builds stand still for this long at most. Default 30,000. */
  readonly holdMs?: number;
  /** How long the one that is behind may take to come to where the other stands. Default 10,000, at most `holdMs`. */
  readonly reachWithinMs?: number;
  readonly signal?: AbortSignal;
}

const HOLD_MS = 30_000;
const REACH_WITHIN_MS = 10_000;

/**
 * Compares the tables of two builds at one and the same position: both are held at a position that neither has passed, and when
 * both stand there their rows are compared. Readers see the live build a little behind meanwhile; then both go on. The holds run
 * out by themselves, should this process be killed.
 * @throws KAPPA_VERIFY_BUSY while another comparison or swap holds one of them; KAPPA_VERIFY_NOT_REACHED when a build does not
 *         come to the position (nobody runs its version, or an event has stopped it); KAPPA_VERIFY_OTHER_LOG;
 *         KAPPA_VERIFY_TOO_LONG; KAPPA_KEYS_DIFFER
 */
export async function verifyBuilds(
  context: { readonly database: Database },
  live: Build,
  candidate: Build,
  options: VerifyOptions = {},
): Promise<VerifyResult> {
  const { database } = context;
  const holdMs = options.holdMs ?? HOLD_MS;
  const builds = [live, candidate];
  const ids = builds.map(({ id }) => id);
  const until = performance.now() + holdMs;
  const vectors = await holdBoth(database, live, candidate, holdMs);
  try {
    const standThere = (positions: ReadonlyMap<number, Position>): boolean =>
      ids.every((id) => isAt(positions.get(id), vectors.get(id)));
    const reachWithinMs = Math.min(options.reachWithinMs ?? REACH_WITHIN_MS, holdMs);
    if (!(await waitForProgress(database, ids, reachWithinMs, standThere, options.signal)))
      throw await notReached(database, builds, vectors);
    const difference = await compareTables(database, live, candidate, {
      samples: options.samples ?? 10,
      signal: AbortSignal.any([
        ...(options.signal ? [options.signal] : []),
        AbortSignal.timeout(Math.max(1, Math.round(until - performance.now()))),
      ]),
    }).catch((error: unknown) => {
      throw performance.now() >= until ? tooLong(holdMs, error) : error;
    });
    const after = await readProgress(database, database.schema, ids);
    // A hold that ran out or was lifted lets rows move while they are compared: then the answer says nothing.
    if (performance.now() >= until || !standThere(new Map([...after].map(([id, lines]) => [id, positionOf(lines)]))))
      throw tooLong(holdMs);
    const letters = await new DeadLetterStore(database).counts(ids.map(letterOwner));
    return {
      projection: live.projection,
      live,
      candidate,
      at: latest(...vectors.values()),
      lettersLive: letters.get(letterOwner(live.id)) ?? NO_LETTERS,
      lettersCandidate: letters.get(letterOwner(candidate.id)) ?? NO_LETTERS,
      ...difference,
    };
  } finally {
    await leaveHolds(database, ids);
  }
}

/** Per build the position at which it is held: of both the later one, partition by partition. Under both locks, so nobody passes it. */
async function holdBoth(
  database: Database,
  live: Build,
  candidate: Build,
  holdMs: number,
): Promise<ReadonlyMap<number, Position>> {
  return database.transaction(async (on) => {
    const ids = [live.id, candidate.id].sort((a, b) => a - b);
    const progress = await lockProgress(on, database.schema, ids);
    if ([...progress.values()].flat().some((line) => line.holdAt !== null)) {
      throw new KappaError(
        'KAPPA_VERIFY_BUSY',
        `${buildLabel(live)} or ${buildLabel(candidate)} is held by another comparison or swap`,
        {
          facts: { live: live.id, candidate: candidate.id },
          nextStep: 'Try again in a moment; a hold of a command that was killed runs out by itself.',
        },
      );
    }
    refuseOtherLog(live, candidate, progress);
    const positions = new Map([...progress].map(([id, lines]) => [id, positionOf(lines)]));
    const later = latest(...positions.values());
    const vectors = new Map([...positions].map(([id, position]) => [id, pick(later, position)]));
    for (const [id, at] of vectors) await setHold(on, database.schema, id, at, holdMs);
    return vectors;
  });
}

/** Where both read a partition, but of different logs, there is no position at which both could stand. */
function refuseOtherLog(live: Build, candidate: Build, progress: ReadonlyMap<number, readonly PartitionProgress[]>): void {
  const [own, other] = [progress.get(candidate.id) ?? [], progress.get(live.id) ?? []];
  const shared = sharedPosition(own, other);
  const theirs = positionOf(other);
  const differing = (Object.keys(positionOf(own)) as PartitionKey[]).filter((key) => key in theirs && !(key in shared));
  if (differing.length === 0) return;
  throw new KappaError(
    'KAPPA_VERIFY_OTHER_LOG',
    `${buildLabel(live)} and ${buildLabel(candidate)} were made from different logs: there is no position at which they could be compared`,
    {
      facts: { live: live.id, candidate: candidate.id, partitions: differing },
      nextStep: 'Swap without --verify; the build from the present log is the one that goes on.',
    },
  );
}

/** Of a position, the partitions that a build reads. */
function pick(position: Position, own: Position): Position {
  return Object.fromEntries((Object.keys(own) as PartitionKey[]).map((key) => [key, position[key] ?? 0]));
}

function isAt(position: Position | undefined, wanted: Position | undefined): boolean {
  if (!position || !wanted) return false;
  return (Object.keys(wanted) as PartitionKey[]).every((key) => position[key] === wanted[key]);
}

async function notReached(
  database: Database,
  builds: readonly Build[],
  vectors: ReadonlyMap<number, Position>,
): Promise<KappaError> {
  const progress = await readProgress(
    database,
    database.schema,
    builds.map(({ id }) => id),
  );
  const late = builds.flatMap((build) => {
    const position = positionOf(progress.get(build.id) ?? []);
    const wanted = vectors.get(build.id) ?? {};
    return isAt(position, wanted)
      ? []
      : [{ build: buildLabel(build), position: formatPosition(position), wanted: formatPosition(wanted) }];
  });
  return new KappaError(
    'KAPPA_VERIFY_NOT_REACHED',
    late.map(({ build, position, wanted }) => `${build} stands at ${position} and did not come to ${wanted}`).join('; '),
    {
      facts: { builds: late },
      nextStep:
        'Both go on as before. See with `npx nest-kappa projections status` what stopped it: a process that contains its version must be running.',
    },
  );
}

function tooLong(holdMs: number, cause?: unknown): KappaError {
  return new KappaError(
    'KAPPA_VERIFY_TOO_LONG',
    `the builds could not be compared within the ${holdMs} ms that they may be held`,
    {
      facts: { holdMs },
      nextStep: 'Compare again at a quieter time, or allow longer (holdMs).',
      ...(cause === undefined ? {} : { cause }),
    },
  );
}
