import type { Build, BuildState } from '../build.js';

/** How often builds are looked at, and how often the process says that it is there; in milliseconds. */
export interface Pace {
  readonly lookMs: number;
  readonly beatMs: number;
  /** Builds that have not changed for so long are looked at with each beat only. */
  readonly restAfterMs: number;
}

const PACE: Pace = { lookMs: 1_000, beatMs: 2_500, restAfterMs: 15_000 };
/** While something is about to change. */
const LOOK_SOON_MS = 50;
/** Somebody builds or follows them: what comes of that is to be seen soon. */
const ON_THEIR_WAY: readonly BuildState[] = ['planned', 'building', 'catching-up'];

/** Tells how soon builds are to be looked at again: a process at rest is seldom woken. */
export class LookPace {
  #builds = '';
  #changedAt = -Infinity;

  constructor(private readonly pace: Pace = PACE) {}

  get beatMs(): number {
    return this.pace.beatMs;
  }

  get isAtRest(): boolean {
    return performance.now() - this.#changedAt >= this.pace.restAfterMs;
  }

  /** Until the next look; at rest the beat comes before that. */
  nextMs(soon: boolean): number {
    if (soon) return LOOK_SOON_MS;
    return this.isAtRest ? 2 * this.pace.beatMs : this.pace.lookMs;
  }

  see(builds: readonly Build[]): void {
    const now = JSON.stringify(builds);
    if (now !== this.#builds || builds.some(({ state }) => ON_THEIR_WAY.includes(state))) this.stir();
    this.#builds = now;
  }

  /** No rest for a while. */
  stir(): void {
    this.#changedAt = performance.now();
  }
}
