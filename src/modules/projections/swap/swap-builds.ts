import { isTransient, sqlState } from '../../../database/database-errors.js';
import type { Database } from '../../../database/database.js';
import { KappaError, UnknownOutcomeError } from '../../../kernel/errors.js';
import type { Build } from '../build.js';
import { leaveHolds } from '../hold-builds.js';
import { BuildBehindError, drawLevel } from './behind.js';
import { lockHolders } from './lock-holders.js';
import { viewName } from './public-view.js';
import type { SwapContext, Swapped, SwapOptions } from './swap-options.js';
import { swapInTransaction, type SwapAttempt } from './swap-transaction.js';

const DEFAULT_LOCK_TIMEOUT_MS = 100;
const DEFAULT_MAX_WAIT_MS = 30_000;
const LONGEST_PAUSE_MS = 1_000;

/**
 * Makes builds live, those of several projections in one transaction. A reader sees wholly old or wholly new; the old build goes
 * on as standby, so that the way back is the same flip. The first swap of a projection creates its view.
 *
 * Where a long reader holds a view, an attempt gives up after a short lock timeout, so that nobody queues behind it for long, and
 * is repeated with backoff.
 * @throws KAPPA_SWAP_BLOCKED naming who holds the lock; KAPPA_BUILD_BEHIND with the distance; KAPPA_BUILD_STATE;
 *         KAPPA_VIEW_NAME_TAKEN; KAPPA_VIEW_HAS_DEPENDANTS; KAPPA_SWAP_UNDER_WAY with `unlessUnderWay`
 */
export async function swapBuilds(
  context: SwapContext,
  targets: readonly Build[],
  options: SwapOptions = {},
): Promise<readonly Swapped[]> {
  const { database } = context;
  const inOrder = [...targets].sort((a, b) => (a.projection < b.projection ? -1 : 1));
  const until = performance.now() + (options.maxWaitMs ?? DEFAULT_MAX_WAIT_MS);
  const attempt: SwapAttempt = { first: 'progress', asked: 'progress', lockedAt: 0, results: [] };
  const held = new Set<number>();
  try {
    for (let count = 1; ;) {
      options.signal?.throwIfAborted();
      try {
        await database.transaction(async (on) => {
          await on.query(`set local lock_timeout = ${lockTimeoutMs(options, count)}`);
          await swapInTransaction(context, on, inOrder, options, attempt);
        });
        return locked(attempt);
      } catch (error) {
        // The connection was lost at the COMMIT: the pointers tell whether it happened.
        if (error instanceof UnknownOutcomeError && (await areLive(context, inOrder))) return locked(attempt);
        const inTime = performance.now() < until;
        if (error instanceof BuildBehindError && inTime)
          for (const id of await drawLevel(context, error, options)) held.add(id);
        else if (!isWorthRetrying(error)) throw error;
        else if (!inTime) throw await blocked(database, inOrder, count, error);
        else {
          // A long reader of a view then stops no runner again, and a handler that reads its own view, which has progress already, is
          // waited for without what it waits for itself.
          attempt.first = attempt.asked;
          await pause(count);
          count += 1;
        }
      }
    }
  } finally {
    await leaveHolds(database, [...held]);
  }
}

function lockTimeoutMs({ lockTimeoutMs: base = DEFAULT_LOCK_TIMEOUT_MS }: SwapOptions, count: number): number {
  return Math.round(base * Math.min(5, (1 + count) / 2));
}

function locked({ lockedAt, results }: SwapAttempt): readonly Swapped[] {
  const lockedMs = Math.round((performance.now() - lockedAt) * 100) / 100;
  return results.map((result) => ({ ...result, lockedMs }));
}

async function areLive({ builds }: SwapContext, targets: readonly Build[]): Promise<boolean> {
  for (const target of targets) if ((await builds.active(target.projection))?.id !== target.id) return false;
  return true;
}

/** A lock that was not had in time, a deadlock, a lost connection; or another process that made or dropped the view at that moment. */
function isWorthRetrying(error: unknown): boolean {
  if (isTransient(error) || error instanceof UnknownOutcomeError) return true;
  return ['42P07', '23505', '42P01'].includes(sqlState(error) ?? '');
}

async function blocked(database: Database, targets: readonly Build[], attempts: number, cause: unknown): Promise<unknown> {
  if (sqlState(cause) !== '55P03') return cause;
  const views = targets.map((build) => viewName(database, build.projection));
  const { holders, text } = await lockHolders(database, views);
  const projections = targets.map((build) => build.projection);
  return new KappaError('KAPPA_SWAP_BLOCKED', `the view of ${projections.join(', ')} is held ${text}`, {
    facts: { projections, attempts, holders },
    nextStep: 'Nothing was changed. End that transaction (select pg_terminate_backend(pid)) or swap again later.',
    cause,
  });
}

/** Longer with each attempt, and never the same for two processes. */
async function pause(count: number): Promise<void> {
  const longest = Math.min(LONGEST_PAUSE_MS, 25 * 2 ** count);
  await new Promise((resolve) => setTimeout(resolve, longest / 2 + (Math.random() * longest) / 2));
}
