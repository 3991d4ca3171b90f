import { sqlState } from '../../../database/database-errors.js';
import { passes } from '../rebuild/passes.js';

/** Tries at most; with the growing waits of a runner they take about five seconds. */
const MOST_TRIES = 8;
/** A minute without a refusal forgets those before. */
const FORGET_AFTER_MS = 60_000;

/**
 * Counts how often the database refused a runner's work for a reason that does not pass by itself: a table that is gone, a right
 * that was taken, a trigger that raises. Somebody may be about to mend it, so it is tried again, but not for ever: a build that
 * stands still must say why. Outages, locks and full disks are never counted.
 */
export class Refusals {
  #count = 0;
  #lastAt = 0;
  #last: unknown = null;

  /** Takes an error in, each one once; true when it is one too many. */
  isTooMany(error: unknown, now: number): boolean {
    if (sqlState(error) === null || passes(error)) return false;
    if (error !== this.#last) {
      this.#count = now - this.#lastAt > FORGET_AFTER_MS ? 1 : this.#count + 1;
      this.#lastAt = now;
      this.#last = error;
    }
    return this.#count >= MOST_TRIES;
  }
}
