import { FencedError, UnknownOutcomeError } from '../../../kernel/errors.js';
import type { NewRecord } from '../../../kernel/record.js';
import type { EventLog, LogSession } from '../../../log/event-log.js';

/**
 * Two sessions of one partition, used in turn: while the log still settles the markers of one commit, the next transaction goes
 * through the other session. A transaction begins only when the one before it is known to be committed.
 *
 * Both are opened in one order, and the first transaction goes through the one that was opened first. That keeps two owners
 * apart whose openings interleave, so that each holds one of the two: whoever was overtaken at the first session finds itself
 * fenced before it has written anything through the second.
 */
export class AlternatingSessions {
  #turn = 0;
  #spoiled = false;

  private constructor(private readonly sessions: readonly [LogSession, LogSession]) {}

  /** Fences every earlier owner and settles what it left pending. Read the position after this, never before. */
  static async open(log: Pick<EventLog, 'openSession'>, tasks: readonly [string, string]): Promise<AlternatingSessions> {
    const first = await log.openSession(tasks[0]);
    try {
      return new AlternatingSessions([first, await log.openSession(tasks[1])]);
    } catch (error) {
      await first.close().catch(() => undefined);
      throw error;
    }
  }

  /**
   * Writes all records or none. After any error both sessions are spoiled: open anew, which settles what is pending, and read
   * the position before deciding what to write.
   * @throws FencedError; UnknownOutcomeError; what made the log refuse, when nothing was written
   */
  async write(records: readonly NewRecord[]): Promise<void> {
    if (this.#spoiled) throw new FencedError(this.sessions[0].task);
    this.#spoiled = true;
    const transaction = this.sessions[this.#turn === 0 ? 0 : 1].begin();
    transaction.append(records);
    const result = await transaction.commit();
    if (result.outcome === 'aborted') throw result.cause;
    if (result.outcome === 'unknown') {
      throw new UnknownOutcomeError('it is not known whether the last records were relayed', { cause: result.cause });
    }
    this.#turn = 1 - this.#turn;
    this.#spoiled = false;
  }

  /** Never fails: a session that cannot be closed is fenced by whoever opens it next. */
  async close(): Promise<void> {
    this.#spoiled = true;
    await Promise.allSettled(this.sessions.map((session) => session.close()));
  }
}
