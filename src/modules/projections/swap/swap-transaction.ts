import type { Connection, Queryable } from '../../../database/database.js';
import { NO_LETTERS } from '../../../database/dead-letters/dead-letter.js';
import { quoteIdentifier } from '../../../database/identifiers.js';
import { KappaError } from '../../../kernel/errors.js';
import type { Position } from '../../../kernel/position.js';
import { buildLabel, positionOf, type Build } from '../build.js';
import { BUILD_COLUMNS, buildOf, type BuildRow } from '../build-row.js';
import { lockProgress } from '../hold-builds.js';
import { refuseBehind, refuseOtherLog, type Flip } from './behind.js';
import { lettersOf, refuseMoreLetters } from './more-letters.js';
import { lockView, prepareView, showBuild, type PreparedView } from './public-view.js';
import type { SwapContext, Swapped, SwapOptions } from './swap-options.js';

const DEFAULT_STANDBY_MS = 24 * 3_600_000;

/** What a swap locks and others wait for: runners for progress, readers for the views. */
export type Locked = 'progress' | 'views';

/** One attempt as far as its transaction has come. */
export interface SwapAttempt {
  /** What it locks first. */
  first: Locked;
  /** Which of them it asked for last; where it had to give up, that is what it did not get. */
  asked: Locked;
  /** The clock when it asked for the first of them. */
  lockedAt: number;
  results: readonly Omit<Swapped, 'lockedMs'>[];
}

/**
 * The swap's one transaction. What neither runners nor readers of views wait for comes first: pointers are locked, states and
 * pointers change. Then the progress of both builds is locked, and it is checked that no build is behind (an old runner may have
 * committed until its progress was locked) and none has more dead letters. The views change last, so that a reader of a view waits
 * for no more than the change of all views and the COMMIT. Where the views are to be locked first, that is all that is done earlier.
 * All is locked in the order of names or ids; targets are sorted by projection.
 */
export async function swapInTransaction(
  context: SwapContext,
  on: Connection,
  targets: readonly Build[],
  options: SwapOptions,
  attempt: SwapAttempt,
): Promise<void> {
  const { database } = context;
  attempt.asked = attempt.first;
  const flips = await lockPointers(on, database.schema, targets, options);
  if (options.stale !== true) refuseOtherLog(flips);
  const prepared: { readonly flip: Flip; readonly moved: Moved; readonly shown: PreparedView }[] = [];
  for (const flip of flips) {
    const tables = { from: flip.from?.tableName ?? null, to: flip.to.tableName };
    const shown = await prepareView(on, database, flip.to.projection, tables);
    prepared.push({ flip, shown, moved: await movePointer(context, on, flip, options) });
  }
  attempt.lockedAt = performance.now();
  if (attempt.first === 'views')
    for (const { flip, shown } of prepared) if (shown.view) await lockView(on, database, flip.to.projection, shown.view);

  const ids = flips.flatMap(({ from, to }) => (from ? [from.id, to.id] : [to.id])).sort((a, b) => a - b);
  attempt.asked = 'progress';
  const progress = await lockProgress(on, database.schema, ids);
  if (options.stale !== true) refuseBehind(flips, progress);
  const letters = await lettersOf(context, on, flips);
  if (options.action !== 'rollback' && options.withDeadLetters !== true) refuseMoreLetters(flips, letters);

  const results: Omit<Swapped, 'lockedMs'>[] = [];
  for (const { flip, moved } of prepared) {
    const position = positionOf(progress.get(flip.to.id) ?? []);
    await noteSwap(context, on, flip, position, options);
    results.push({ ...moved, projection: flip.to.projection, position, letters: letters.get(flip.to.id) ?? NO_LETTERS });
  }
  attempt.asked = 'views';
  for (const { flip, shown } of prepared) await showBuild(on, database, flip.to.projection, shown);
  attempt.results = results;
}

/** Two swaps of one projection go one after the other by its pointer, also the first, which has no view to lock. */
async function lockPointers(
  on: Queryable,
  schema: string,
  targets: readonly Build[],
  { unlessUnderWay = false }: SwapOptions,
): Promise<readonly Flip[]> {
  const { rows: pointers } = await on.query<{ name: string; active_build: number | null }>(
    `select name, active_build from ${quoteIdentifier(schema)}.projections where name = any($1::text[]) order by name for no key update${unlessUnderWay ? ' skip locked' : ''}`,
    [targets.map((build) => build.projection)],
  );
  if (unlessUnderWay && pointers.length < targets.length) throw underWay(targets);
  const active = new Map(pointers.map((row) => [row.name, row.active_build]));
  const { rows } = await on.query<BuildRow>(
    `select ${BUILD_COLUMNS} from ${quoteIdentifier(schema)}.builds b where b.id = any($1::bigint[])`,
    [[...targets.map((build) => build.id), ...active.values()].filter((id) => id !== null)],
  );
  const builds = new Map(rows.map((row) => [row.id, buildOf(row)]));
  return targets.map((target) => {
    const to = builds.get(target.id) ?? target;
    if (to.state !== 'ready' && to.state !== 'standby') throw notSwappable(to);
    return { to, from: builds.get(active.get(target.projection) ?? -1) ?? null };
  });
}

/** Both builds in their new states. */
type Moved = Pick<Swapped, 'from' | 'to'>;

async function movePointer(
  { database, builds }: SwapContext,
  on: Connection,
  { from, to }: Flip,
  options: SwapOptions,
): Promise<Moved> {
  const standbyUntil = new Date(Date.now() + (options.standbyMs ?? DEFAULT_STANDBY_MS));
  // The old one first: no two builds of a projection are live, not even within the transaction.
  const old = from && (await builds.move(from.id, 'standby', { standbyUntil, on }));
  const live = await builds.move(to.id, 'live', { on });
  await on.query(
    `update ${quoteIdentifier(database.schema)}.projections set active_build = $2, changed_at = now() where name = $1`,
    [to.projection, to.id],
  );
  return { from: old, to: live };
}

async function noteSwap(
  { builds }: SwapContext,
  on: Connection,
  { from, to }: Flip,
  position: Position,
  options: SwapOptions,
): Promise<void> {
  await builds.audit({
    projection: to.projection,
    build: to.id,
    action: options.action ?? 'swap',
    facts: {
      from: from && buildLabel(from),
      fromBuild: from?.id ?? null,
      to: buildLabel(to),
      position,
      stale: options.stale === true,
    },
    on,
  });
}

function underWay(targets: readonly Build[]): KappaError {
  const labels = targets.map(buildLabel).join(', ');
  return new KappaError('KAPPA_SWAP_UNDER_WAY', `another process is about a swap of the projection of ${labels}`, {
    facts: { builds: targets.map(({ id }) => id) },
    nextStep: 'Nothing was changed. Wait until the other swap has ended.',
  });
}

function notSwappable(build: Build): KappaError {
  return new KappaError(
    'KAPPA_BUILD_STATE',
    `${buildLabel(build)} is ${build.state}: only a ready or a standby build can become live`,
    {
      facts: { build: build.id, projection: build.projection, state: build.state },
      nextStep:
        build.state === 'live' ? 'It is live already.' : `See \`npx nest-kappa projections status ${build.projection}\`.`,
    },
  );
}
