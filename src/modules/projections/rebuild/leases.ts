import { randomUUID } from 'node:crypto';
import type { Builds } from '../builds.js';

/**
 * The leases of one rebuild to build in bulk, renewed in the background. They are for liveness only: two that both believe to
 * hold one are told apart by the epochs of the progress.
 */
export class Leases {
  readonly #held = new Set<number>();
  readonly #lost = new Set<number>();
  /** Two rebuilds of one process must not take each other for themselves. */
  readonly #worker = randomUUID();
  readonly #timer: NodeJS.Timeout;

  constructor(
    private readonly builds: Pick<Builds, 'lease' | 'release'>,
    private readonly forMs: number,
  ) {
    this.#timer = setInterval(() => void this.#renew(), forMs / 3);
    this.#timer.unref();
  }

  /** False while another process holds it. */
  async take(build: number): Promise<boolean> {
    const taken = await this.builds.lease(build, this.#worker, this.forMs);
    if (taken) this.#held.add(build);
    else this.#held.delete(build);
    this.#lost.delete(build);
    return taken;
  }

  /** Another process has taken it over. */
  lost(build: number): boolean {
    return this.#lost.has(build);
  }

  async release(build: number): Promise<void> {
    if (!this.#held.delete(build)) return;
    await this.builds.release(build, this.#worker);
  }

  /** Gives back what is held; what cannot be given back runs out by itself. */
  async releaseAll(): Promise<void> {
    clearInterval(this.#timer);
    for (const build of [...this.#held]) await this.release(build).catch(() => undefined);
  }

  async #renew(): Promise<void> {
    for (const build of [...this.#held]) {
      // A database that is away says nothing about who holds the lease.
      const renewed = await this.builds.lease(build, this.#worker, this.forMs).catch(() => true);
      if (renewed || !this.#held.delete(build)) continue;
      this.#lost.add(build);
    }
  }
}
