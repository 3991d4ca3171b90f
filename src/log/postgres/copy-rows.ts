import type { Readable } from 'node:stream';
import { to as copyTo } from 'pg-copy-streams';
import { sqlState } from '../../database/database-errors.js';
import type { Database } from '../../database/database.js';

/**
 * What a query gives, in COPY's binary format: bytes arrive as bytes, and `pg` makes no text and no object of each row. Measured
 * on pages of 5,000 records of 300 bytes: 308,000 records/s against 200,000 of rows as text.
 */
export async function copyRows(database: Database, query: string): Promise<Buffer> {
  const connection = await database.connect();
  const chunks: Buffer[] = [];
  try {
    const stream: Readable = connection.raw.query(copyTo(`copy (${query}) to stdout (format binary)`));
    for await (const chunk of stream) chunks.push(chunk as Buffer);
  } catch (error) {
    // The server's own refusal leaves the connection usable; after anything else it is not known what is still to come.
    connection.release(sqlState(error) === null);
    throw error;
  }
  connection.release();
  return Buffer.concat(chunks);
}

/** Signature, flags and an empty header extension. */
const FILE_HEADER_BYTES = 19;
/** Microseconds from 1970 to PostgreSQL's 2000. */
const POSTGRES_EPOCH_US = 946_684_800_000_000;
const TWO_32 = 0x1_0000_0000;

/** Walks over what {@link copyRows} gave: `nextRow`, then every column in order by the reader of its type. */
export class CopyCursor {
  #at = FILE_HEADER_BYTES;

  constructor(private readonly buffer: Buffer) {}

  /** False after the last row. */
  nextRow(): boolean {
    const columns = this.buffer.readInt16BE(this.#at);
    this.#at += 2;
    return columns >= 0;
  }

  int4(): number {
    this.#at += 8;
    return this.buffer.readInt32BE(this.#at - 4);
  }

  int8(): number | null {
    if (this.#length() < 0) return null;
    this.#at += 8;
    return this.buffer.readInt32BE(this.#at - 8) * TWO_32 + this.buffer.readUInt32BE(this.#at - 4);
  }

  /** Microseconds since 1970. */
  timestamp(): number | null {
    const value = this.int8();
    return value === null ? null : value + POSTGRES_EPOCH_US;
  }

  text(): string | null {
    const length = this.#length();
    if (length < 0) return null;
    this.#at += length;
    return this.buffer.toString('utf8', this.#at - length, this.#at);
  }

  /** A view of the buffer, not a copy. */
  bytes(): Buffer | null {
    const length = this.#length();
    if (length < 0) return null;
    this.#at += length;
    return this.buffer.subarray(this.#at - length, this.#at);
  }

  #length(): number {
    this.#at += 4;
    return this.buffer.readInt32BE(this.#at - 4);
  }
}
