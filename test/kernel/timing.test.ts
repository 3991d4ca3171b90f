import { describe, expect, it } from 'vitest';
import { untilTogether } from '../../src/kernel/timing.js';

describe('what is done together', () => {
  it('is due at whole multiples of the clock, at least half of one away', () => {
    expect(untilTogether(2_500, 10_100)).toBe(2_400);
    expect(untilTogether(2_500, 11_250)).toBe(1_250);
    expect(untilTogether(2_500, 11_251)).toBe(3_749);
    expect(untilTogether(2_500, 12_500)).toBe(2_500);
  });

  it('is not due twice when a timer is early', () => {
    expect(untilTogether(2_500, 12_499.5)).toBe(2_500.5);
  });
});
