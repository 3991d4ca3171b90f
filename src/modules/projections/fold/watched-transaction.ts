import { isOutage } from '../../../database/database-errors.js';
import type { Queryable, Statement } from '../../../database/database.js';

/**
 * What a raw handler writes with. It remembers the first statement that failed: a handler may swallow the error or throw another
 * one, and what is at fault must be told apart all the same.
 */
export class WatchedTransaction implements Queryable {
  #failed: { readonly error: unknown } | null = null;

  constructor(private readonly transaction: Queryable) {}

  async query<Row extends object = Record<string, unknown>>(
    statement: string | Statement,
    values?: readonly unknown[],
  ): Promise<{ rows: Row[]; rowCount: number }> {
    try {
      return await this.transaction.query<Row>(statement, values);
    } catch (error) {
      this.#failed ??= { error };
      throw error;
    }
  }

  /**
   * After the handler: a swallowed error leaves a transaction whose COMMIT would quietly roll back. One that the handler took back to
   * a savepoint of its own does not.
   * @throws what the first failing statement threw
   */
  async confirm(): Promise<void> {
    const failed = this.#failed;
    if (!failed) return;
    await this.transaction.query('select 1').catch(() => {
      throw failed.error;
    });
  }

  /** What is to be thrown for an error of the handler: the outage behind it where there is one, else what `otherwise` makes of it. */
  blame(error: unknown, otherwise: (error: unknown) => Error): Error {
    const outage = [this.#failed?.error, ...causesOf(error)].find(isOutage);
    return outage instanceof Error ? outage : otherwise(error);
  }
}

function causesOf(error: unknown): readonly unknown[] {
  const causes: unknown[] = [error];
  for (let cause = error; cause instanceof Error && cause.cause !== undefined && causes.length < 10;) {
    cause = cause.cause;
    causes.push(cause);
  }
  return causes;
}
