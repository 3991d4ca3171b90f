/**
 * Rows of no more than this are few: which partition is read makes no difference to the processor's caches. More of them are folded
 * faster partition by partition, the fewer at a time.
 */
const FEW_BYTES = 16 * 1024 * 1024;
/** A trial has seen enough with this part of all records, which is read twice where it fails. */
const ENOUGH_READ = 1 / 16;
/** Or with this part of what few rows are. */
const ENOUGH_FILLED = 1 / 4;

interface Seen {
  readonly records: number;
  readonly bytes: number;
}

const NOTHING: Seen = { records: 0, bytes: 0 };

/**
 * Tells from the first records of a log whether the rows of all will be few. What is distinct grows with a power of what is read
 * (Heaps' law): one where each key is new, less where few keys have most of the records; a set of keys that comes to its end grows
 * less than that. The power is that of the later half.
 */
export class RowTrial {
  readonly #seen: Seen[] = [];
  readonly #fewBytes: number;
  #isPassed = false;

  /** Of so many records in all. */
  constructor(
    private readonly records: number,
    private readonly memoryBytes: number,
  ) {
    this.#fewBytes = Math.min(memoryBytes, FEW_BYTES);
  }

  /**
   * Whether it shows that rows will not be few, now that so many records have brought rows of so many bytes; later, whether they are
   * more than memory holds all the same. `isLast` ends the trial.
   */
  fails(records: number, bytes: number, isLast: boolean): boolean {
    if (bytes > this.memoryBytes) return true;
    if (this.#isPassed) return false;
    const now = { records, bytes };
    this.#seen.push(now);
    const isOver = isLast || records >= this.records * ENOUGH_READ || bytes >= this.#fewBytes * ENOUGH_FILLED;
    if (!isOver) return false;
    this.#isPassed = this.#likelyBytes(now) <= this.#fewBytes;
    return !this.#isPassed;
  }

  /** Of the rows of all records. */
  #likelyBytes({ records, bytes }: Seen): number {
    if (records === 0) return bytes;
    const half = this.#seen.findLast((seen) => seen.records <= records / 2) ?? NOTHING;
    const power = half.bytes === 0 ? 1 : Math.log(bytes / half.bytes) / Math.log(records / half.records);
    return bytes * (this.records / records) ** power;
  }
}
