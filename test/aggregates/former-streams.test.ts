import { expect, it } from 'vitest';
import type { StreamName } from '../../src/kernel/names.js';
import { FormerStreams } from '../../src/modules/aggregates/former-streams.js';

const name = (number: number): StreamName => `/thing/${number}` as StreamName;

it('knows the last 131,072 streams, takes few others for one of them, and forgets the oldest', () => {
  const former = new FormerStreams();
  const added = 400_000;
  for (let number = 0; number < added; number += 1) former.add(name(number));
  const known = (from: number, to: number): number => {
    let count = 0;
    for (let number = from; number < to; number += 1) if (former.has(name(number))) count += 1;
    return count;
  };
  expect(known(added - 131_072, added)).toBe(131_072);
  expect(known(added, 2 * added)).toBeLessThan(400);
  expect(known(0, 100_000)).toBeLessThan(100);
});
