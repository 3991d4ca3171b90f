import type { Queryable } from '../../../database/database.js';
import { KappaError } from '../../../kernel/errors.js';
import { covers, distance, within, type Position } from '../../../kernel/position.js';
import { buildLabel, positionOf, type Build, type PartitionProgress } from '../build.js';
import { clearHolds, lockProgress, setHold, waitForProgress } from '../hold-builds.js';
import { sharedPosition } from '../shared-position.js';
import type { SwapContext, SwapOptions } from './swap-options.js';

/** One build that is to become live, and the one it takes over from. */
export interface Flip {
  readonly to: Build;
  readonly from: Build | null;
}

interface BehindLine {
  readonly from: Build;
  readonly to: Build;
  /** The live build's position, over the partitions that both read of the same log. */
  readonly wanted: Position;
  /** Offsets; an upper bound on events. */
  readonly missing: number;
}

/** The live build is held this long at most while the new one draws level. */
const LEVEL_WITHIN_MS = 3_000;
/** A hold outlives the wait by as much as the swap itself may take. */
const HOLD_MS = 6_000;
/** Further behind than this a build is catching up, not trailing: holding the live one would be for nothing. */
const TRAILING_OFFSETS = 50_000;

/** New builds did not stand where the live ones do. */
export class BuildBehindError extends KappaError {
  constructor(readonly lines: readonly BehindLine[]) {
    super(
      'KAPPA_BUILD_BEHIND',
      lines.map(({ from, to, missing }) => `${buildLabel(to)} is ${missing} offsets behind ${buildLabel(from)}`).join('; '),
      {
        facts: { builds: lines.map(({ from, to, missing }) => ({ build: to.id, live: from.id, behind: missing })) },
        nextStep:
          'Wait until it has caught up, which a process that contains its version must be running for; or give --stale to go back to an older state knowingly.',
      },
    );
  }
}

/** @throws BuildBehindError when a build lies behind the live one on any partition that both read of the same log. */
export function refuseBehind(flips: readonly Flip[], progress: ReadonlyMap<number, readonly PartitionProgress[]>): void {
  const behind = flips.flatMap(({ from, to }): BehindLine[] => {
    if (!from) return [];
    const own = progress.get(to.id) ?? [];
    const wanted = sharedPosition(progress.get(from.id) ?? [], own);
    const missing = distance(positionOf(own), wanted);
    return missing > 0 ? [{ from, to, wanted, missing }] : [];
  });
  if (behind.length > 0) throw new BuildBehindError(behind);
}

/** @throws KAPPA_BUILD_BEHIND for a build that has stopped because the log at hand is another: nobody can tell how far it is behind. */
export function refuseOtherLog(flips: readonly Flip[]): void {
  for (const { to } of flips) {
    if (to.error?.code !== 'KAPPA_LOG_CHANGED') continue;
    throw new KappaError(
      'KAPPA_BUILD_BEHIND',
      `${buildLabel(to)} has stopped, for it belongs to another log than the one at hand`,
      {
        facts: { build: to.id, stopped: to.error.message },
        nextStep: 'Build anew from this log; or give --stale to go back to an older state knowingly.',
      },
    );
  }
}

/**
 * Holds the live builds where they stand until the new ones stand there too: while writers go on, two builds at the tail seldom
 * stand level by themselves on every partition. Returns the builds that are held.
 * @throws BuildBehindError when they do not draw level within `levelWithinMs`; nothing is held then.
 */
export async function drawLevel(
  { database }: SwapContext,
  behind: BuildBehindError,
  options: SwapOptions,
): Promise<readonly number[]> {
  const { lines } = behind;
  const withinMs = options.levelWithinMs ?? LEVEL_WITHIN_MS;
  if (lines.some(({ missing }) => missing > TRAILING_OFFSETS) || withinMs === 0) throw behind;
  const old = lines.map(({ from }) => from.id).sort((a, b) => a - b);
  const held = await database.transaction(async (on: Queryable) => {
    const progress = await lockProgress(on, database.schema, old);
    const positions = new Map([...progress].map(([build, own]) => [build, positionOf(own)]));
    for (const [build, position] of positions) await setHold(on, database.schema, build, position, HOLD_MS);
    return positions;
  });
  const isLevel = (positions: ReadonlyMap<number, Position>): boolean =>
    lines.every(({ from, to, wanted }) => covers(positions.get(to.id) ?? {}, within(held.get(from.id) ?? {}, wanted)));
  const level = await waitForProgress(
    database,
    lines.map(({ to }) => to.id),
    withinMs,
    isLevel,
    options.signal,
  ).catch((error: unknown) => error);
  if (level === true) return old;
  await clearHolds(database, database.schema, old);
  throw level === false ? behind : level;
}
