import { RowWindow } from '../fold/row-window.js';
import type { RowCodec } from '../table.js';

/** Of one build. */
const MOST_BYTES = 32 * 1024 * 1024;

/**
 * The rows that a live runner has in memory from one batch to the next while it is behind: what it has just written it need not
 * read. True for as long as it owns all partitions, so that nobody but its batches writes: whoever takes rows for a batch gives
 * them back only when that was committed, and all else drops them.
 */
export class KeptRows {
  /** Set while it owns all partitions and more is known to come at once. What nobody follows at speed is read when it is needed. */
  keeping = false;
  #rows: RowWindow | null = null;

  /** For one batch. They are gone unless they are kept again. */
  take(): RowWindow {
    const rows = this.#rows ?? new RowWindow(false);
    this.#rows = null;
    return rows;
  }

  /** All are as the table has them now. */
  keep(rows: RowWindow, codec: Pick<RowCodec, 'bytesOf'>): void {
    if (!this.keeping) return;
    rows.measure(codec);
    if (rows.bytes > MOST_BYTES) rows.shrink(MOST_BYTES / 2);
    this.#rows = rows;
  }

  drop(): void {
    this.#rows = null;
  }
}
