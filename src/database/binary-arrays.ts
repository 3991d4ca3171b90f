/** Type ids of PostgreSQL's catalogue, fixed for ever. */
const BYTEA = 17;
const INT8 = 20;
const INT4 = 23;
const TEXT = 25;

/**
 * Arrays as statement parameters in PostgreSQL's binary format: `pg` sends a Buffer as it is, so that bytes are neither turned
 * into hex (twice the size) nor texts escaped for an array literal.
 */
export function textArray(items: readonly (string | null)[]): Buffer {
  let bytes = 0;
  for (const item of items) bytes += item === null ? 0 : Buffer.byteLength(item);
  return encode(TEXT, items, bytes, (buffer, at, item) => buffer.write(item, at, 'utf8'));
}

export function byteaArray(items: readonly (Uint8Array | null)[]): Buffer {
  let bytes = 0;
  for (const item of items) bytes += item?.byteLength ?? 0;
  return encode(BYTEA, items, bytes, (buffer, at, item) => {
    buffer.set(item, at);
    return item.byteLength;
  });
}

export function intArray(items: readonly (number | null)[]): Buffer {
  return encode(INT4, items, items.length * 4, (buffer, at, item) => buffer.writeInt32BE(item, at) - at);
}

/** Whole numbers up to 2^53. */
export function bigintArray(items: readonly (number | null)[]): Buffer {
  return encode(INT8, items, items.length * 8, (buffer, at, item) => {
    const high = Math.floor(item / TWO_32);
    buffer.writeInt32BE(high, at);
    return buffer.writeUInt32BE(item - high * TWO_32, at + 4) - at;
  });
}

const TWO_32 = 0x1_0000_0000;
const HEADER_BYTES = 20;

function encode<T>(
  elementType: number,
  items: readonly (T | null)[],
  bytes: number,
  write: (buffer: Buffer, at: number, item: T) => number,
): Buffer {
  const buffer = Buffer.allocUnsafe(items.length === 0 ? 12 : HEADER_BYTES + items.length * 4 + bytes);
  buffer.writeInt32BE(items.length === 0 ? 0 : 1, 0); // dimensions
  buffer.writeInt32BE(1, 4); // may hold nulls
  buffer.writeInt32BE(elementType, 8);
  if (items.length === 0) return buffer;
  buffer.writeInt32BE(items.length, 12);
  buffer.writeInt32BE(1, 16); // lower bound
  let at = HEADER_BYTES;
  for (const item of items) {
    if (item === null) {
      at = buffer.writeInt32BE(-1, at);
      continue;
    }
    const length = write(buffer, at + 4, item);
    buffer.writeInt32BE(length, at);
    at += 4 + length;
  }
  return at === buffer.length ? buffer : buffer.subarray(0, at);
}
