import { isDataError, sqlState } from '../../database/database-errors.js';
import { RetriableError } from '../../kernel/errors.js';
import { MOST_ROWS } from './row-statement.js';

/** While fewer are under way, a read waits for no other. Two, so that one is decoded while the other is executed. */
const UNDER_WAY = 2;
/** How long a read waits for statements under way, which are slow then; all that wait are sent, on connections as the pool has them. */
const MAX_WAIT_MS = 2;

interface Waiting<Key, Answer> {
  readonly key: Key;
  readonly resolve: (answer: Answer) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Lets reads that come while others are under way share a statement: what a statement costs beside its rows, the pointer, the
 * position and the way to the server and back, is most of what one row costs. A read that comes alone is sent at once. A read is
 * never answered by a statement that was sent before it came.
 */
export class SharedReads<Key, Answer> {
  readonly #waiting: Waiting<Key, Answer>[] = [];
  #underWay = 0;
  #patience: NodeJS.Timeout | null = null;

  /** `send` answers keys in their order. */
  constructor(private readonly send: (keys: readonly Key[]) => Promise<readonly Answer[]>) {}

  /** @throws what `send` throws */
  read(key: Key): Promise<Answer> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ key, resolve, reject });
      if (this.#underWay < UNDER_WAY) this.#sendSome();
      else this.#patience ??= setTimeout(() => this.#sendAll(), MAX_WAIT_MS);
    });
  }

  #sendAll(): void {
    while (this.#waiting.length > 0) this.#sendSome();
  }

  /** Those that are left, if any, keep the timer, which the first of them may have set. */
  #sendSome(): void {
    const together = this.#waiting.splice(0, MOST_ROWS);
    if (this.#waiting.length === 0 && this.#patience !== null) {
      clearTimeout(this.#patience);
      this.#patience = null;
    }
    this.#underWay += 1;
    void this.#answer(together).then(() => {
      this.#underWay -= 1;
      if (this.#waiting.length > 0 && this.#underWay < UNDER_WAY) this.#sendSome();
    });
  }

  async #answer(together: readonly Waiting<Key, Answer>[]): Promise<void> {
    try {
      const answers = await this.send(together.map(({ key }) => key));
      together.forEach(({ resolve }, index) => resolve(answers[index] as Answer));
    } catch (error) {
      // One row that the server cannot give is no answer to those who asked for others.
      if (together.length > 1 && mayBeOfOneRow(error)) await Promise.all(together.map((alone) => this.#answer([alone])));
      else together.forEach(({ reject }) => reject(error));
    }
  }
}

/** A key or a value that is refused, by a function that raises, too (P0); a row out of time (57014) or on a damaged page (XX). */
function mayBeOfOneRow(error: unknown): boolean {
  const raw = error instanceof RetriableError ? error.cause : error;
  const state = sqlState(raw) ?? '';
  return isDataError(raw) || state === '57014' || state.startsWith('XX') || state.startsWith('P0');
}
