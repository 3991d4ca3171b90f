import { MOST_BYTES_PER_UNIT } from './bounded-text.js';

/**
 * The partition of a key, as Kafka's default partitioner has it: positive murmur2 of the UTF-8 key, modulo the number of
 * partitions. The same key goes to the same partition on every driver and from every Kafka client.
 * Source: org.apache.kafka.common.utils.Utils.murmur2.
 */
export function partitionOf(key: string, partitions: number): number {
  return (murmur2OfText(key) & 0x7fffffff) % partitions;
}

/** Keys are short: a buffer for each would be more work than its hash. */
const scratch = Buffer.allocUnsafe(2_048);

/** {@link murmur2} of a text in UTF-8. */
export function murmur2OfText(text: string): number {
  if (text.length * MOST_BYTES_PER_UNIT > scratch.length) return murmur2(Buffer.from(text, 'utf8'));
  return murmur2(scratch, scratch.write(text, 'utf8'));
}

/** MurmurHash2 of the first bytes, all of them where no length is given, with Kafka's seed, as a signed 32-bit number. */
export function murmur2(data: Uint8Array, length = data.length): number {
  const m = 0x5bd1e995;
  let hash = 0x9747b28c ^ length;
  const whole = length & ~3;
  for (let i = 0; i < whole; i += 4) {
    let k = (data[i] ?? 0) | ((data[i + 1] ?? 0) << 8) | ((data[i + 2] ?? 0) << 16) | ((data[i + 3] ?? 0) << 24);
    k = Math.imul(k, m);
    k ^= k >>> 24;
    hash = Math.imul(hash, m) ^ Math.imul(k, m);
  }
  const rest = length & 3;
  if (rest === 3) hash ^= (data[whole + 2] ?? 0) << 16;
  if (rest >= 2) hash ^= (data[whole + 1] ?? 0) << 8;
  if (rest >= 1) hash = Math.imul(hash ^ (data[whole] ?? 0), m);
  hash ^= hash >>> 13;
  hash = Math.imul(hash, m);
  return hash ^ (hash >>> 15);
}
