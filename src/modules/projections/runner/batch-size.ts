/** Of a build that follows at the tail, or has just begun to catch up. */
const LEAST = 5_000;
const MOST = 40_000;
/** A batch that took longer is followed by a smaller one: others wait for its locks, and a stop for its end. */
const AIM_MS = 300;

/**
 * How many records the next batch of a live runner may have: more and more while it is behind and works them off fast, for the more
 * records a batch has, the fewer rows it writes for each.
 */
export class BatchSize {
  records: number;

  /**
   * `fixed`: always so many. `shared`: rows that are written under locks of others, in a transaction during which they are folded; its
   * batches stay small.
   */
  constructor(
    private readonly fixed: number | null = null,
    private readonly shared = false,
  ) {
    this.records = fixed ?? LEAST;
  }

  /** A batch of so many records took so long. */
  took(records: number, ms: number): void {
    if (this.fixed !== null || this.shared) return;
    if (records > this.records / 2 && ms < AIM_MS / 2) this.records = Math.min(this.records * 2, MOST);
    else if (ms > AIM_MS) this.records = Math.max(this.records / 2, LEAST);
  }

  /** It has drawn level, has to hold, or a batch has failed. */
  reset(): void {
    this.records = this.fixed ?? LEAST;
  }
}
