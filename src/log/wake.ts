import { KappaError } from '../kernel/errors.js';
import type { PartitionKey, Position } from '../kernel/position.js';
import { untilTogether } from '../kernel/timing.js';

/** What a probe found. */
export interface Probed {
  /** Of partitions that end beyond what was asked for. */
  readonly ends: Position;
  /** Nobody else is there who could append. */
  readonly alone: boolean;
}

export interface WakeOptions {
  /**
   * Asks the log, in one query, which partitions end beyond `after`, and, `atRest`, whether anybody else could append. Left out
   * where every append passes through this process.
   */
  readonly probe?: (after: Position, atRest: boolean) => Promise<Probed>;
  /** Between two probes while appends of other processes arrive. */
  readonly minIntervalMs: number;
  /** Between two probes when nothing has come for a while. */
  readonly maxIntervalMs: number;
  /** And when nobody else is there who could append. Default: as long as `maxIntervalMs`. */
  readonly aloneIntervalMs?: number;
  /** For so long nobody else must have been seen: who comes and goes comes again. Default 0. */
  readonly aloneAfterMs?: number;
}

interface Waiter {
  readonly after: Position;
  readonly wake: () => void;
}

/** From one look to the next without news, up to half of the longest interval. */
const BACK_OFF = 1.5;
/** From there on: what rests for a second is most often about to go on, what rests for ten is not. */
const SLOW_BACK_OFF = 1.1;

/**
 * Wakes readers when partitions grow: at once for appends of this process, by one short query for all waiting partitions
 * otherwise. Not by NOTIFY, which takes a global lock at each commit.
 */
export class Wake {
  readonly #ends = new Map<PartitionKey, number>();
  readonly #waiters = new Set<Waiter>();
  #intervalMs: number;
  #timer: NodeJS.Timeout | null = null;
  #lastProbe = 0;
  /** When somebody else was there, or had been. */
  #lastOthers = -Infinity;
  #stopped = false;

  constructor(private readonly options: WakeOptions) {
    this.#intervalMs = options.minIntervalMs;
  }

  /** The highest end seen. */
  end(partition: PartitionKey): number | undefined {
    return this.#ends.get(partition);
  }

  /** Partitions end at least here. True when that was news. */
  appended(position: Position): boolean {
    let news = false;
    for (const key in position) {
      const end = position[key as PartitionKey] ?? 0;
      if (end <= (this.#ends.get(key as PartitionKey) ?? -1)) continue;
      this.#ends.set(key as PartitionKey, end);
      news = true;
    }
    if (news) for (const waiter of [...this.#waiters]) if (this.#isPassed(waiter.after)) waiter.wake();
    return news;
  }

  /** Resolves when one of the partitions is known to end beyond `after`, at the abort, the timeout or the stop. @throws KAPPA_LOG_STOPPED */
  async wait(after: Position, options: { readonly signal?: AbortSignal; readonly timeoutMs?: number }): Promise<void> {
    const { signal, timeoutMs } = options;
    if (this.#stopped) throw logStopped();
    if (signal?.aborted || this.#isPassed(after)) return;
    let timeout: NodeJS.Timeout | undefined;
    let waiter: Waiter | undefined;
    let wake: (() => void) | undefined;
    await new Promise<void>((resolve) => {
      wake = () => resolve();
      waiter = { after, wake };
      this.#waiters.add(waiter);
      signal?.addEventListener('abort', wake, { once: true });
      if (timeoutMs !== undefined) timeout = setTimeout(wake, timeoutMs);
      this.#schedule();
    });
    clearTimeout(timeout);
    if (wake) signal?.removeEventListener('abort', wake);
    if (waiter) this.#waiters.delete(waiter);
  }

  /** Wakes all and probes no more. */
  stop(): void {
    this.#stopped = true;
    if (this.#timer) clearTimeout(this.#timer);
    this.#timer = null;
    for (const waiter of [...this.#waiters]) waiter.wake();
  }

  #isPassed(after: Position): boolean {
    for (const key in after) {
      if ((this.#ends.get(key as PartitionKey) ?? -1) > (after[key as PartitionKey] ?? 0)) return true;
    }
    return false;
  }

  #schedule(): void {
    if (this.#timer || this.#stopped || !this.options.probe || this.#waiters.size === 0) return;
    const { maxIntervalMs } = this.options;
    const since = performance.now() - this.#lastProbe;
    const waitMs = this.#intervalMs > maxIntervalMs ? untilTogether(this.#intervalMs) : Math.max(0, this.#intervalMs - since);
    this.#timer = setTimeout(() => void this.#probe(), waitMs);
  }

  /** All partitions that anyone waits for, each with the end that is known; null when there are none. */
  #waitedFor(): Position | null {
    const position: Record<PartitionKey, number> = {};
    let any = false;
    for (const { after } of this.#waiters) {
      for (const key in after) {
        const partition = key as PartitionKey;
        position[partition] = this.#ends.get(partition) ?? Math.min(after[partition] ?? 0, position[partition] ?? Infinity);
        any = true;
      }
    }
    return any ? position : null;
  }

  get #isAtRest(): boolean {
    return this.#intervalMs >= this.options.maxIntervalMs;
  }

  #longer(intervalMs: number, alone: boolean): number {
    const { maxIntervalMs, aloneIntervalMs = maxIntervalMs } = this.options;
    if (alone) return Math.max(maxIntervalMs, aloneIntervalMs);
    const factor = intervalMs < maxIntervalMs / 2 ? BACK_OFF : SLOW_BACK_OFF;
    return Math.min(intervalMs * factor, maxIntervalMs);
  }

  async #probe(): Promise<void> {
    const { probe, aloneAfterMs = 0 } = this.options;
    const asked = this.#waitedFor();
    let news = false;
    let alone = false;
    this.#lastProbe = performance.now();
    if (asked !== null && probe) {
      try {
        const atRest = this.#isAtRest;
        const probed = await probe(asked, atRest);
        news = this.appended(probed.ends);
        if (atRest && (news || !probed.alone)) this.#lastOthers = this.#lastProbe;
        alone = atRest && this.#lastProbe - this.#lastOthers >= aloneAfterMs && probed.alone;
      } catch {
        // The log is away: whoever reads will be told; here it is asked again, less and less often.
      }
    }
    this.#intervalMs = news ? this.options.minIntervalMs : this.#longer(this.#intervalMs, alone);
    this.#timer = null;
    this.#schedule();
  }
}

export function logStopped(): KappaError {
  return new KappaError('KAPPA_LOG_STOPPED', 'the log was stopped', {
    nextStep: 'Start it, or stop using it before it is stopped.',
  });
}
