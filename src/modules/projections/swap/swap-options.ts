import type { Database } from '../../../database/database.js';
import type { Builds } from '../builds.js';
import type { SwapResult } from '../operations.js';

export interface SwapContext {
  readonly database: Database;
  readonly builds: Builds;
}

/** What a swap did; who runs the versions is not its matter. */
export type Swapped = Omit<SwapResult, 'runners'>;

export interface SwapOptions {
  /** What the audit calls it. Default `swap`. */
  readonly action?: 'swap' | 'rollback';
  /** How long the old build goes on projecting, so that one can roll back to it without loss. Default 24 hours. */
  readonly standbyMs?: number;
  /** Flips also to a build that is behind the live one. Default false. */
  readonly stale?: boolean;
  /** Swaps also to a build with more dead letters than the live one has. A rollback always does. Default false. */
  readonly withDeadLetters?: boolean;
  /** How long one attempt waits for a lock; readers queue behind it for that long at most. Default 100, growing to five times that. */
  readonly lockTimeoutMs?: number;
  /** How long attempts go on, in all. Default 30,000. */
  readonly maxWaitMs?: number;
  /** How long the live build is held, while a new one that trails by a few events draws level. Default 3,000; 0 never holds. */
  readonly levelWithinMs?: number;
  /** Gives up at once where another process is about a swap of one of these, so that one alone asks for the view's lock. Default false. */
  readonly unlessUnderWay?: boolean;
  readonly signal?: AbortSignal;
}
