import type { Row, RowKey } from '../projection.js';
import type { RowCodec } from '../table.js';

/** What an entry costs beside its row: the object, its key, its place in the map. */
const ENTRY_BYTES = 250;

/** Of an entry, in one number: a field each would be a third of the entry. */
const STORED = 1;
const DIRTY = 2;
const KNOWN = 4;
const QUEUED = 8;

/** A row while events are folded into it: what it is now, and what the table holds of it. */
export class RowEntry {
  /** Null: no such row. Means nothing before `known`. */
  row: Row | null = null;
  /** Rough size in memory as last measured. */
  bytes = 0;
  /** The batch that touched it last. */
  batch = 0;
  #flags: number;

  constructor(
    readonly text: string,
    readonly key: RowKey,
    known: boolean,
  ) {
    this.#flags = known ? KNOWN : 0;
  }

  /** True when the table holds a row of this key, as far as our commits go. */
  get stored(): boolean {
    return (this.#flags & STORED) !== 0;
  }
  set stored(is: boolean) {
    this.#flags = is ? this.#flags | STORED : this.#flags & ~STORED;
  }

  /** True when `row` differs from what the table holds. */
  get dirty(): boolean {
    return (this.#flags & DIRTY) !== 0;
  }
  set dirty(is: boolean) {
    this.#flags = is ? this.#flags | DIRTY : this.#flags & ~DIRTY;
  }

  /** False while the row must still be read from the table. */
  get known(): boolean {
    return (this.#flags & KNOWN) !== 0;
  }
  set known(is: boolean) {
    this.#flags = is ? this.#flags | KNOWN : this.#flags & ~KNOWN;
  }

  /** In the list of rows to be read. */
  get queued(): boolean {
    return (this.#flags & QUEUED) !== 0;
  }
  set queued(is: boolean) {
    this.#flags = is ? this.#flags | QUEUED : this.#flags & ~QUEUED;
  }
}

/**
 * The rows that are being folded, by key. While it is `complete` it has every row of the table, so that a key it does not have
 * is new; otherwise a key it does not have is queued in `unread` and must be read before it is folded.
 */
export class RowWindow {
  readonly entries = new Map<string, RowEntry>();
  unread: RowEntry[] = [];
  /** Entries touched since `beginBatch`. */
  touched: RowEntry[] = [];
  #batch = 0;
  #bytes = 0;
  /** Records come partition by partition, and no row is in the table but of parts that have ended. */
  #inParts = false;

  constructor(public complete: boolean) {}

  /** Rough size in memory, as last measured. */
  get bytes(): number {
    return this.#bytes;
  }

  beginBatch(): void {
    this.#batch += 1;
    this.touched = [];
  }

  touch(text: string, key: RowKey): RowEntry {
    let entry = this.entries.get(text);
    if (entry === undefined) {
      // The given key may be a scratch object of the caller's. Spread and frozen, each would leave a hidden class behind.
      entry = new RowEntry(text, Object.freeze(Object.assign({}, key)), this.complete);
      this.entries.set(text, entry);
    }
    if (entry.batch !== this.#batch) {
      entry.batch = this.#batch;
      this.touched.push(entry);
    }
    if (!entry.known && !entry.queued) {
      entry.queued = true;
      this.unread.push(entry);
    }
    return entry;
  }

  /** Takes in what the table holds of the queued keys. */
  read(rows: ReadonlyMap<string, Row>): void {
    for (const entry of this.unread) {
      entry.row = rows.get(entry.text) ?? null;
      entry.stored = entry.row !== null;
      entry.known = true;
      entry.queued = false;
    }
    this.unread = [];
  }

  /** Somebody else may have changed any row: all must be read again. Nothing may be dirty. */
  distrust(): void {
    this.complete = false;
    for (const entry of this.entries.values()) {
      entry.known = false;
      entry.row = null;
    }
  }

  /** Takes in how large the rows have become that were touched. */
  measure(codec: Pick<RowCodec, 'bytesOf'>): void {
    for (const entry of this.touched) {
      const bytes = ENTRY_BYTES + 2 * entry.text.length + (entry.row === null ? 0 : codec.bytesOf(entry.row));
      this.#bytes += bytes - entry.bytes;
      entry.bytes = bytes;
    }
  }

  /** From here on records come in parts, of which each has its own rows. */
  beginParts(): void {
    this.#inParts = this.complete && this.entries.size === 0;
  }

  /** Drops every row, which the table has by now. The next part has none of them. */
  endPart(isLast: boolean): void {
    this.evict();
    this.complete = this.#inParts && !isLast;
    this.#inParts &&= !isLast;
  }

  /** The row that is touched next may have been touched in another part, too: from here on no part has its rows to itself. */
  mayBeElsewhere(): void {
    if (this.#inParts) this.complete = false;
    this.#inParts = false;
  }

  /** Drops rows, those that were known first, until no more than so many bytes are left. None may be dirty. */
  shrink(mostBytes: number): void {
    for (const [text, { bytes }] of this.entries) {
      if (this.#bytes <= mostBytes) return;
      this.entries.delete(text);
      this.#bytes -= bytes;
    }
  }

  /** Drops every row. The table is the only one that knows them now. */
  evict(): void {
    this.complete = false;
    this.entries.clear();
    this.touched = [];
    this.unread = [];
    this.#bytes = 0;
  }
}
