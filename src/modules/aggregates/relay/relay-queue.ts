import type { Offset } from '../../../kernel/names.js';
import { recordBytes, type LogRecord } from '../../../kernel/record.js';

export interface RelayQueueLimits {
  /** Records of one write at most. */
  readonly records: number;
  /** Bytes of one write at most; a larger record goes alone. */
  readonly bytes: number;
}

/** What was read of a partition and is not sent yet: it gathers while a write is under way. */
export class RelayQueue {
  #rows: LogRecord[] = [];
  #bytes = 0;
  #expected: Offset | null = null;
  #broken: Error | null = null;
  #wake: (() => void) | null = null;

  constructor(private readonly limits: RelayQueueLimits) {}

  /** Forgets what is queued; only rows from here on are taken in. Null: none are. */
  restart(from: Offset | null): void {
    this.#rows = [];
    this.#bytes = 0;
    this.#expected = from;
    this.#broken = null;
  }

  /** Whoever takes is told so, after what is queued. */
  breakWith(error: Error): void {
    this.#broken = error;
    this.#wake?.();
  }

  /** The offset of the next row it takes in. */
  get expected(): Offset | null {
    return this.#expected;
  }

  /** More than one write takes. */
  get isFull(): boolean {
    return this.#rows.length >= this.limits.records || this.#bytes >= this.limits.bytes;
  }

  /** Takes in what follows, without what it has already. False when rows are missing in between: it takes none beyond them. */
  offer(rows: readonly LogRecord[]): boolean {
    if (this.#expected === null) return true;
    for (const row of rows) {
      if (row.offset < this.#expected) continue;
      if (row.offset > this.#expected) {
        this.#wake?.();
        return false;
      }
      this.#rows.push(row);
      this.#bytes += recordBytes(row);
      this.#expected = (row.offset + 1) as Offset;
    }
    this.#wake?.();
    return true;
  }

  /** Waits until something is queued, and takes as much as goes into one write; nothing when the signal aborts. */
  async take(signal: AbortSignal): Promise<readonly LogRecord[]> {
    if (this.#rows.length === 0 && !this.#broken && !signal.aborted) await this.#filled(signal);
    if (signal.aborted) return [];
    if (this.#rows.length === 0 && this.#broken) throw this.#broken;
    let count = 0;
    let bytes = 0;
    for (const row of this.#rows) {
      const size = recordBytes(row);
      if (count > 0 && (count >= this.limits.records || bytes + size > this.limits.bytes)) break;
      count += 1;
      bytes += size;
    }
    this.#bytes -= bytes;
    return this.#rows.splice(0, count);
  }

  async #filled(signal: AbortSignal): Promise<void> {
    const { promise, resolve } = signalled();
    this.#wake = resolve;
    signal.addEventListener('abort', resolve, { once: true });
    await promise;
    signal.removeEventListener('abort', resolve);
    this.#wake = null;
  }
}

function signalled(): { readonly promise: Promise<void>; readonly resolve: () => void } {
  let resolve = (): void => undefined;
  const promise = new Promise<void>((done) => (resolve = done));
  return { promise, resolve };
}
