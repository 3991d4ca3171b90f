import { expect, it } from 'vitest';
import { murmur2, murmur2OfText, partitionOf } from '../../src/kernel/partitioner.js';

/** Source: org.apache.kafka.common.utils.UtilsTest. */
const KAFKAS: readonly (readonly [string, number])[] = [
  ['21', -973932308],
  ['foobar', -790332482],
  ['a-little-bit-long-string', -985981536],
  ['a-little-bit-longer-string', -1486304829],
  ['lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8', -58897971],
  ['abc', 479470107],
];

it.each(KAFKAS)('hashes %s as Kafka does', (text, hash) => {
  expect(murmur2(Buffer.from(text))).toBe(hash);
  expect(murmur2OfText(text)).toBe(hash);
});

it('hashes any text by its bytes in UTF-8, whatever was hashed before it', () => {
  const texts = ['', 'é', '☕', '\ud83d\ude00', '\ud83d', 'x'.repeat(5_000), '☕'.repeat(700), 'a', 'ab', 'abcde'];
  for (const text of [...texts, ...texts.toReversed()]) expect(murmur2OfText(text)).toBe(murmur2(Buffer.from(text, 'utf8')));
});

it('gives a key one of the partitions', () => {
  const partitions = Array.from({ length: 1_000 }, (_, n) => partitionOf(`key-${n}`, 7));
  expect(new Set(partitions)).toEqual(new Set([0, 1, 2, 3, 4, 5, 6]));
});
