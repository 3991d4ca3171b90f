import { isConnectionError, sqlState } from '../../database/database-errors.js';
import type { Database } from '../../database/database.js';
import { CopyOut, eachData, type CopyBounds } from './copy-out.js';

/**
 * What a query gives, in COPY's binary format: bytes arrive as bytes, and neither text nor an object is made of each row. To be read
 * by {@link eachRow}.
 * @throws CopyTooLarge, and what the database throws
 */
export async function copyRows(database: Database, query: string, bounds?: CopyBounds): Promise<Buffer> {
  const connection = await database.connect();
  try {
    const { messages } = connection.raw.query(new CopyOut(`copy (${query}) to stdout (format binary)`, bounds));
    const buffer = await messages;
    connection.release();
    return buffer;
  } catch (error) {
    // The server's own refusal leaves the connection usable; after anything else it is not known what is still to come.
    connection.release(sqlState(error) === null || isConnectionError(error));
    throw error;
  }
}

/** Signature, flags and an empty header extension. */
const FILE_HEADER_BYTES = 19;
/** Microseconds from 1970 to PostgreSQL's 2000. */
const POSTGRES_EPOCH_US = 946_684_800_000_000;
const TWO_32 = 0x1_0000_0000;

/** Calls with where each row of what {@link copyRows} gave begins, with the number of its columns in two bytes, and how long it is. */
export function eachRow(messages: Buffer, call: (row: number, bytes: number) => void): void {
  let header = FILE_HEADER_BYTES;
  eachData(messages, (begin, length) => {
    // The file's header stands before the first row, in the same message or in one of its own.
    const row = begin + header;
    const bytes = length - header;
    header = 0;
    if (bytes > 0 && messages.readInt16BE(row) >= 0) call(row, bytes);
  });
}

/** A whole number of eight bytes. */
export function wholeAt(buffer: Buffer, at: number): number {
  return buffer.readInt32BE(at) * TWO_32 + buffer.readUInt32BE(at + 4);
}

/** A time as microseconds since 1970. */
export function microsAt(buffer: Buffer, at: number): number {
  return wholeAt(buffer, at) + POSTGRES_EPOCH_US;
}
