import { describe, expect, it } from 'vitest';
import { untilTogether } from '../../src/kernel/timing.js';

describe('what is done together', () => {
  it('is due at whole multiples of the clock', () => {
    expect(untilTogether(2_000, 10_100)).toBe(1_900);
    expect(untilTogether(2_000, 11_250)).toBe(750);
    expect(untilTogether(2_000, 12_000)).toBe(2_000);
  });

  it('is not due at one that is near, and never much later than after its time', () => {
    expect(untilTogether(2_000, 11_750)).toBe(250);
    expect(untilTogether(2_000, 11_751)).toBe(2_249);
  });

  it('is not due twice when a timer is early', () => {
    expect(untilTogether(2_000, 11_999.5)).toBe(2_000.5);
  });
});
