import type { Offset } from '../../kernel/names.js';
import { StoredRecord, type LogRecord } from '../../kernel/record.js';
import type { RecordSource } from '../event-log.js';
import type { Page, PageWish } from '../page-source.js';
import { recordsInTurns } from '../pieces-of.js';
import { eachRow, microsAt, wholeAt } from './copy-rows.js';
import { recordHeaders } from './stored-headers.js';

/** The default, named: what names it goes through a search for it. */
const UTF8 = undefined;

const RELEASED = Buffer.alloc(0);

/** Where a row's columns begin, of those of a fixed size: each has its length before it. */
const SLOT = 6;
const OFFSET = 14;
const TIME_LENGTH = 22;
const TIME = 26;
const KEY_LENGTH = 34;

/**
 * A page as COPY gave it. Its records are made when they are asked for: a reader that takes a few at a time has thrown them away
 * before the next are made, and they never grow old in memory.
 */
export class CopiedPage implements Page, RecordSource {
  begin = 0 as Offset;
  end = 0 as Offset;
  scanned?: Offset;
  readonly #rows: number[] = [];
  #records: readonly LogRecord[] | null = null;

  /** Of all records together, as they came. */
  recordBytes = 0;

  /** Of the wish's records those before which its bytes are not filled. `left` gives back the room of the buffer. */
  constructor(
    private readonly wish: Pick<PageWish, 'topic' | 'partition' | 'maxBytes'>,
    private buffer: Buffer,
    private readonly left: (() => void) | null = null,
  ) {}

  get onDemand(): RecordSource {
    return this;
  }

  get length(): number {
    return this.#rows.length;
  }

  get records(): readonly LogRecord[] {
    this.#records ??= this.slice(0, this.#rows.length);
    return this.#records;
  }

  /** Microseconds since 1970 of the last record; null where there is none. */
  get lastTimeUs(): number | null {
    const row = this.#rows.at(-1);
    return row === undefined ? null : microsAt(this.buffer, row + TIME);
  }

  slice(from: number, to: number): LogRecord[] {
    const records: LogRecord[] = [];
    const most = Math.min(to, this.#rows.length);
    for (let index = from; index < most; index += 1) records.push(this.#record(this.#rows[index] as number));
    return records;
  }

  /** Makes all records, in turn with the rest of the process. */
  async make(): Promise<void> {
    this.#records = await recordsInTurns(this);
  }

  /** Its records are gone: whoever asks for one has an error, and the bytes of those that were made are another page's soon. */
  release(): void {
    if (this.buffer === RELEASED) return;
    this.buffer = RELEASED;
    this.#records = null;
    this.left?.();
  }

  /** Takes in the row of the next record, which begins here and has so many bytes. */
  add(row: number, bytes: number): void {
    if (this.recordBytes >= this.wish.maxBytes) return;
    this.recordBytes += bytes;
    const offset = wholeAt(this.buffer, row + OFFSET) as Offset;
    this.#rows.push(row);
    this.scanned = (offset + 1) as Offset;
  }

  #record(row: number): LogRecord {
    const { buffer } = this;
    let at = row + KEY_LENGTH;
    const keyLength = buffer.readInt32BE(at);
    const key = keyLength < 0 ? null : buffer.toString(UTF8, at + 4, at + 4 + keyLength);
    at += 4 + Math.max(0, keyLength);
    const valueLength = buffer.readInt32BE(at);
    const value = valueLength < 0 ? null : buffer.subarray(at + 4, at + 4 + valueLength);
    at += 4 + Math.max(0, valueLength);
    const headersLength = buffer.readInt32BE(at);
    const stored = buffer.toString(UTF8, at + 4, at + 4 + headersLength);
    at += 4 + headersLength;
    const version = buffer.readInt32BE(at) < 0 ? null : buffer.readInt32BE(at + 4);
    const { topic, partition } = this.wish;
    const offset = wholeAt(buffer, row + OFFSET) as Offset;
    const headers = recordHeaders(stored, key, version);
    return new StoredRecord(topic, partition, offset, microsAt(buffer, row + TIME), key, value, headers);
  }
}

/** Gives each page its rows. The row of a wish that has no time says where the partition begins and, as text, where it ends. */
export function fillPages(pages: readonly CopiedPage[], messages: Buffer): void {
  eachRow(messages, (row, bytes) => {
    const page = pages[messages.readInt32BE(row + SLOT)];
    if (!page) return;
    if (messages.readInt32BE(row + TIME_LENGTH) >= 0) {
      page.add(row, bytes);
      return;
    }
    page.begin = wholeAt(messages, row + OFFSET) as Offset;
    const endLength = messages.readInt32BE(row + TIME);
    page.end = Number(messages.toString('latin1', row + TIME + 4, row + TIME + 4 + endLength)) as Offset;
  });
}
