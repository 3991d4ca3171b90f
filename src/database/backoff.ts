import { setTimeout as sleep } from 'node:timers/promises';

export interface BackoffOptions {
  /** The first wait, in milliseconds. Default 50. */
  readonly firstMs?: number;
  /** No wait is longer, in milliseconds. Default 2,000. */
  readonly mostMs?: number;
}

/** Waits that double up to a bound, scattered so that many processes do not come back at one moment. */
export class Backoff {
  #attempt = 0;
  readonly #firstMs: number;
  readonly #mostMs: number;

  constructor(options: BackoffOptions = {}) {
    this.#firstMs = options.firstMs ?? 50;
    this.#mostMs = options.mostMs ?? 2_000;
  }

  /** How often it has waited since `reset`. */
  get attempts(): number {
    return this.#attempt;
  }

  get nextMs(): number {
    return Math.min(this.#mostMs, this.#firstMs * 2 ** Math.min(this.#attempt, 20));
  }

  /** Returns early, without an error, when the signal aborts. */
  async wait(signal: AbortSignal): Promise<void> {
    await pause(this.next(), signal);
  }

  /** How long this wait is, in milliseconds, for one who does other things meanwhile; it counts as waited. */
  next(): number {
    const ms = this.nextMs * (0.5 + Math.random() / 2);
    this.#attempt += 1;
    return ms;
  }

  reset(): void {
    this.#attempt = 0;
  }
}

/** Waits; returns early, without an error, when the signal aborts. */
export async function pause(ms: number, signal: AbortSignal): Promise<void> {
  try {
    await sleep(ms, undefined, { signal });
  } catch {
    // Only an abort ends a timer early, and the caller looks at the signal itself.
  }
}
