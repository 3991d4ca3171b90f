import { expect, it } from 'vitest';
import { isoMillis } from '../../src/kernel/iso-time.js';

it('writes times as Date does, also one that comes again', () => {
  for (const ms of [0, 0, -1, 1_700_000_000_123, 1_700_000_000_123, 1_700_000_000_124, 0])
    expect(isoMillis(new Date(ms))).toBe(new Date(ms).toISOString());
  expect(() => isoMillis(new Date(NaN))).toThrow(RangeError);
});
