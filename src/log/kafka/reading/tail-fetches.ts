import { setTimeout as sleep } from 'node:timers/promises';
import { RetriableError } from '../../../kernel/errors.js';
import { Backoff } from '../../backoff.js';
import type { Cluster } from '../wire/cluster.js';
import { passes } from '../wire/kafka-error.js';
import type { Cursor } from './cursor.js';
import { byLeader, fetchPlaces } from './fetch-places.js';

interface Waiting {
  /** From where each is waited for, in Kafka's own offsets. */
  readonly offsets: ReadonlyMap<Cursor, number>;
  readonly answered: Promise<void>;
}

/** How long a broker holds a fetch at the tail: measured calmer and faster than short polls, and nothing is later for it. */
const WAIT_MS = 3_000;
const TAIL_BYTES = { partitionBytes: 1024 * 1024, totalBytes: 8 * 1024 * 1024 };

/**
 * Fetches that wait at the brokers, one for each leader, for whatever comes first. One that outlives the wait of its caller is
 * taken up by the next wait from the same places; from other places it is cut off.
 */
export class TailFetches {
  readonly #waiting = new Map<number, Waiting>();
  readonly #backoff = new Backoff({ firstMs: 20, mostMs: 500 });
  #failingSince: number | null = null;

  constructor(
    private readonly cluster: Cluster,
    private readonly role: string,
    /** Looks why a broker has nothing at the cursor's place. */
    private readonly findOutside: (cursor: Cursor) => Promise<void>,
  ) {}

  /** True while a broker is asked for what comes from the cursor's place on: nothing has come yet then. */
  waitsAt(cursor: Cursor): boolean {
    return [...this.#waiting.values()].some(({ offsets }) => offsets.get(cursor) === cursor.offset);
  }

  /**
   * Waits until a broker answers, at most for `timeoutMs` or until the signal aborts.
   * @throws RetriableError when brokers fail for longer than the cluster's bound; what is not mended by waiting at once
   */
  async next(
    cursors: readonly Cursor[],
    options: { readonly timeoutMs: number; readonly signal?: AbortSignal },
  ): Promise<void> {
    const over = new AbortController();
    const end = () => over.abort();
    options.signal?.addEventListener('abort', end, { once: true });
    this.cluster.stopped.addEventListener('abort', end, { once: true });
    try {
      const answers = await this.#ask(cursors);
      await Promise.race([...answers, pauseUntil(options.timeoutMs, over.signal)]);
      this.#failingSince = null;
      this.#backoff.reset();
    } catch (error) {
      if (this.cluster.stopped.aborted) return;
      if (!passes(error)) throw error;
      this.#failingSince ??= performance.now();
      if (performance.now() - this.#failingSince > this.cluster.options.retryMs)
        throw new RetriableError('following the log failed', { cause: error });
      await this.cluster.lookAgain();
      await this.#backoff.wait(over.signal);
    } finally {
      end();
      options.signal?.removeEventListener('abort', end);
      this.cluster.stopped.removeEventListener('abort', end);
    }
  }

  close(): void {
    for (const leader of [...this.#waiting.keys()]) this.#cutOff(leader);
  }

  async #ask(cursors: readonly Cursor[]): Promise<Promise<void>[]> {
    const groups = await byLeader(this.cluster, cursors);
    for (const leader of [...this.#waiting.keys()]) if (!groups.has(leader)) this.#cutOff(leader);
    return [...groups].map(([leader, led]) => {
      const waiting = this.#waiting.get(leader);
      if (waiting && isOf(waiting, led)) return waiting.answered;
      if (waiting) this.#cutOff(leader);
      return this.#start(leader, led);
    });
  }

  #start(leader: number, cursors: readonly Cursor[]): Promise<void> {
    const offsets = new Map(cursors.map((cursor) => [cursor, cursor.offset]));
    const answered = fetchPlaces(this.cluster, leader, this.#roleAt(leader), cursors, {
      maxWaitMs: WAIT_MS,
      ...TAIL_BYTES,
    }).then(async (fetched) => {
      for (const each of fetched) {
        if (each.outOfRange) await this.findOutside(each.place);
        else each.place.take(each, offsets.get(each.place) ?? -1);
      }
    });
    const waiting = { offsets, answered };
    this.#waiting.set(leader, waiting);
    answered
      .catch(() => undefined)
      .finally(() => {
        if (this.#waiting.get(leader) === waiting) this.#waiting.delete(leader);
      });
    return answered;
  }

  #cutOff(leader: number): void {
    this.#waiting.delete(leader);
    this.cluster.release(this.#roleAt(leader));
  }

  #roleAt(leader: number): string {
    return `${this.role} tail ${leader}`;
  }
}

function isOf({ offsets }: Waiting, cursors: readonly Cursor[]): boolean {
  return offsets.size === cursors.length && cursors.every((cursor) => offsets.get(cursor) === cursor.offset);
}

async function pauseUntil(ms: number, signal: AbortSignal): Promise<void> {
  await sleep(Math.min(ms, 2 ** 31 - 1), undefined, { signal }).catch(() => undefined);
}
