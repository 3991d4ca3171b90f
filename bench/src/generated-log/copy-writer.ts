import { once } from 'node:events';
import { finished } from 'node:stream/promises';
import type { Writable } from 'node:stream';

/** Signature, flags and an empty header extension of COPY's binary format. */
const FILE_HEADER = Buffer.from('5047434f50590aff0d0a000000000000000000', 'hex');
/** Microseconds from 1970 to PostgreSQL's 2000. */
const POSTGRES_EPOCH_US = 946_684_800_000_000;
const TWO_32 = 0x1_0000_0000;
const CHUNK_BYTES = 1024 * 1024;
/** No row is larger. */
const ROOM_BYTES = 64 * 1024;

/** Writes rows in COPY's binary format: `row`, then a value for each column in order. */
export class CopyWriter {
  #chunk = Buffer.allocUnsafe(CHUNK_BYTES + ROOM_BYTES);
  #at = FILE_HEADER.copy(this.#chunk);

  constructor(private readonly output: Writable) {}

  row(columns: number): void {
    this.#at = this.#chunk.writeInt16BE(columns, this.#at);
  }

  int4(value: number): void {
    this.#at = this.#chunk.writeInt32BE(4, this.#at);
    this.#at = this.#chunk.writeInt32BE(value, this.#at);
  }

  int8(value: number): void {
    this.#at = this.#chunk.writeInt32BE(8, this.#at);
    this.#at = this.#chunk.writeInt32BE(Math.floor(value / TWO_32), this.#at);
    this.#at = this.#chunk.writeUInt32BE(value - Math.floor(value / TWO_32) * TWO_32, this.#at);
  }

  float8(value: number): void {
    this.#at = this.#chunk.writeInt32BE(8, this.#at);
    this.#at = this.#chunk.writeDoubleBE(value, this.#at);
  }

  /** `timestamptz`, from milliseconds since 1970. */
  timestamp(ms: number): void {
    this.int8(ms * 1_000 - POSTGRES_EPOCH_US);
  }

  /** `text`, `json`, or `bytea` of UTF-8. */
  text(value: string): void {
    const bytes = this.#chunk.write(value, this.#at + 4);
    this.#chunk.writeInt32BE(bytes, this.#at);
    this.#at += 4 + bytes;
  }

  /** Enough rows for a chunk: `send` it before the next. */
  get isFull(): boolean {
    return this.#at >= CHUNK_BYTES;
  }

  async send(): Promise<void> {
    const sent = this.#chunk.subarray(0, this.#at);
    this.#chunk = Buffer.allocUnsafe(CHUNK_BYTES + ROOM_BYTES);
    this.#at = 0;
    if (!this.output.write(sent)) await once(this.output, 'drain');
  }

  /** Until the server has it all. */
  async end(): Promise<void> {
    this.row(-1);
    this.output.end(this.#chunk.subarray(0, this.#at));
    await finished(this.output);
  }
}
