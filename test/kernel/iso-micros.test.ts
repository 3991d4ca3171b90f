import { expect, it } from 'vitest';
import { isoMicros, MicrosClock } from '../../src/kernel/iso-micros.js';

/** As `Date` has it, to the millisecond, with the microseconds beside it. */
function byDate(timestampUs: number): string {
  const ms = Math.floor(timestampUs / 1_000);
  return `${new Date(ms).toISOString().slice(0, -1)}${String(timestampUs - ms * 1_000).padStart(3, '0')}Z`;
}

it('writes every microsecond of a time as Date writes its milliseconds, in whatever order times come', () => {
  const clock = new MicrosClock();
  const day = 86_400_000_000;
  const edges = [0, -1, 1, day, day - 1, -day, -day - 1, 951_782_399_999_999, 253_402_300_799_999_999, 999_999, 59_999_999];
  const scattered = Array.from(
    { length: 2_000 },
    (_, n) => ((n * 7_919_777_777_777) % 5_000_000_000_000_000) - 700_000_000_000_000,
  );
  for (const time of [...edges, ...scattered, ...edges.reverse()]) {
    expect(clock.iso(time)).toBe(byDate(time));
    expect(isoMicros(time)).toBe(byDate(time));
  }
});
