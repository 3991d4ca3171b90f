/**
 * What is waited for at the brokers. While a stop is under way it is waited for only so long: where anything has waited for longer,
 * the brokers are away, and all is given up at once. Looked at by a timer, since each of the waits may be of many attempts.
 */
export class Patience {
  readonly #waits = new Set<{ readonly since: number }>();
  #timer: NodeJS.Timeout | null = null;

  /** Counts as waited for until it settles. */
  async count<T>(work: () => Promise<T>): Promise<T> {
    const wait = { since: performance.now() };
    this.#waits.add(wait);
    try {
      return await work();
    } finally {
      this.#waits.delete(wait);
    }
  }

  /** From now on nothing is waited for longer than this; what waits already gets as long from now. */
  limit(graceMs: number, giveUp: () => void): void {
    if (this.#timer !== null) return;
    const from = performance.now();
    this.#timer = setInterval(
      () => {
        const now = performance.now();
        if ([...this.#waits].some(({ since }) => now - Math.max(since, from) >= graceMs)) giveUp();
      },
      Math.max(10, graceMs / 20),
    );
  }

  end(): void {
    clearInterval(this.#timer ?? undefined);
  }
}
