import { Backoff } from '../../../database/backoff.js';
import type { Database } from '../../../database/database.js';
import type { ProgressMove } from '../../../database/partition-progress.js';
import { partitionKey, type PartitionKey } from '../../../kernel/position.js';
import type { PolicyProgress } from '../policy-progress.js';
import { passes } from './handle-event.js';
import type { BatchLetters, PolicyLetters } from './policy-letters.js';
import type { OwnedPartitions } from './owned-partitions.js';

/** Carries a lost compare-and-set out of its transaction. */
class Fenced extends Error {}

/**
 * Commits the progress of one policy while its events are handled: the next commit gathers what is done while one is under way,
 * so that a kill repeats no more than a handful of events, whatever the size of a batch.
 */
export class ProgressCommits {
  readonly #refused = new Map<PartitionKey, number>();
  #letters: BatchLetters;
  #running: Promise<void> | null = null;
  #fenced = false;
  #failure: { readonly error: unknown } | null = null;
  #committedAt = 0;

  constructor(
    private readonly context: { readonly database: Pick<Database, 'transaction'>; readonly progress: PolicyProgress },
    private readonly policy: string,
    private readonly owned: OwnedPartitions,
    private readonly allLetters: PolicyLetters,
    private readonly signal: AbortSignal,
    /** Told of an outage that is waited out. */
    private readonly away: (error: unknown, attempts: number) => void,
    /** Told what was committed. */
    private readonly committed: (moves: readonly ProgressMove[]) => void,
  ) {
    this.#letters = allLetters.begin();
  }

  /** What is set aside of the batch under way. */
  get letters(): BatchLetters {
    return this.#letters;
  }

  /** A later owner has a partition: what this one handles is dropped. */
  get fenced(): boolean {
    return this.#fenced;
  }

  get committedAt(): number {
    return this.#committedAt;
  }

  /** Counts refusals that are ignored; stored with the next commit. */
  countRefused({ topic, partition }: { readonly topic: string; readonly partition: number }, count: number): void {
    const key = partitionKey(topic, partition);
    this.#refused.set(key, (this.#refused.get(key) ?? 0) + count);
  }

  /** Commits what is done, as soon as the commit under way has ended. */
  soon(): void {
    this.#running ??= this.#run()
      .catch((error: unknown) => {
        this.#failure = { error };
      })
      .finally(() => (this.#running = null));
  }

  /**
   * Commits all that is done.
   * @throws what keeps it from being committed, once nobody wants to wait any more
   */
  async flush(): Promise<void> {
    await this.#running;
    this.soon();
    await this.#running;
    const failure = this.#failure;
    this.#failure = null;
    if (failure) throw failure.error;
    if (this.#fenced) return;
    this.#letters.end();
    this.#letters = this.allLetters.begin();
  }

  async #run(): Promise<void> {
    for (const backoff = new Backoff(); !this.#fenced;) {
      const moves = this.owned.moves();
      if (moves.length === 0) return;
      try {
        await this.#commit(moves);
        backoff.reset();
      } catch (error) {
        if (error instanceof Fenced) this.#fenced = true;
        else if (this.signal.aborted || !passes(error)) throw error;
        else {
          this.away(error, backoff.attempts);
          await backoff.wait(this.signal);
        }
      }
    }
  }

  async #commit(moves: readonly ProgressMove[]): Promise<void> {
    const { database, progress } = this.context;
    const refused = new Map(this.#refused);
    const asides = this.#letters.due(moves);
    const open = await database.transaction(async (on) => {
      if (!(await progress.advance(on, this.policy, moves))) throw new Fenced();
      if (refused.size > 0) await progress.countRefused(on, this.policy, refused);
      return this.#letters.write(on, asides);
    });
    this.#letters.committed(asides, open);
    for (const [key, count] of refused) {
      const left = (this.#refused.get(key) ?? 0) - count;
      if (left > 0) this.#refused.set(key, left);
      else this.#refused.delete(key);
    }
    this.owned.committed(moves);
    this.#committedAt = Date.now();
    this.committed(moves);
  }
}
