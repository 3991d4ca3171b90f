import { describe, expect, it } from 'vitest';
import { schedule } from '../../faults/src/strikes/schedule.js';

const SEEDS = Array.from({ length: 200 }, (_, seed) => seed);

describe('a schedule', () => {
  it('is what its seed says', () => {
    expect(schedule(7)).toEqual(schedule(7));
    expect(schedule(7)).not.toEqual(schedule(8));
  });

  it('holds ten strikes or more of every seed, and all kinds over a few', () => {
    for (const seed of SEEDS) expect(schedule(seed).length).toBeGreaterThanOrEqual(10);
    expect(new Set(SEEDS.slice(0, 3).flatMap((seed) => schedule(seed).map(({ kind }) => kind))).size).toBe(9);
  });

  it('is over in time, and stops a zombie for longer than a session lasts', () => {
    for (const strike of SEEDS.flatMap(schedule)) {
      expect(strike.atMs + strike.forMs).toBeLessThanOrEqual(17_000);
      if (strike.kind === 'zombie') expect(strike.forMs).toBeGreaterThan(10_000);
    }
  });

  it('lets no strike at a process end another one at it', () => {
    const process = ['kill', 'zombie', 'rebalances', 'clock-jump'];
    for (const seed of SEEDS) {
      const strikes = schedule(seed);
      for (const [index, one] of strikes.entries()) {
        const beside = strikes
          .slice(index + 1)
          .filter(
            (other) =>
              other.target === one.target &&
              process.includes(other.kind) === process.includes(one.kind) &&
              other.atMs < one.atMs + one.forMs,
          );
        expect(beside).toEqual([]);
      }
    }
  });
});
