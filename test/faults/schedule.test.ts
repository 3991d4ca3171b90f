import { describe, expect, it } from 'vitest';
import { groupBy } from '../../faults/src/group-by.js';
import { placesOf, schedule } from '../../faults/src/strikes/schedule.js';

const SEEDS = Array.from({ length: 200 }, (_, seed) => seed);

describe.each([
  { driver: 'postgres' as const, kinds: 10 },
  { driver: 'kafka' as const, kinds: 16 },
])('a schedule on $driver', ({ driver, kinds }) => {
  const all = SEEDS.map((seed) => schedule(seed, driver));

  it('is what its seed says', () => {
    expect(schedule(7, driver)).toEqual(schedule(7, driver));
    expect(schedule(7, driver)).not.toEqual(schedule(8, driver));
  });

  it('holds ten strikes or more of every seed, and all kinds over a few', () => {
    for (const strikes of all) expect(strikes.length).toBeGreaterThanOrEqual(10);
    expect(new Set(all.slice(0, 5).flatMap((strikes) => strikes.map(({ kind }) => kind))).size).toBe(kinds);
  });

  it('is over in time, and stops a zombie for longer than a session lasts', () => {
    for (const strike of all.flat()) {
      expect(strike.atMs + strike.forMs).toBeLessThanOrEqual(19_000);
      if (strike.kind === 'zombie') expect(strike.forMs).toBeGreaterThan(10_000);
    }
  });

  it('lets no strike end another one at the same place', () => {
    for (const strikes of all) {
      const byPlace = groupBy(
        strikes.flatMap((strike) => placesOf(strike).map((place) => ({ place, strike }))),
        ({ place }) => place,
      );
      for (const own of byPlace.values())
        for (const [index, { strike }] of own.entries()) {
          const before = own[index - 1]?.strike;
          if (before) expect(strike.atMs).toBeGreaterThan(before.atMs + before.forMs);
        }
    }
  });

  it('strikes one broker at a time', () => {
    const kills = all.map((strikes) => strikes.filter(({ kind }) => kind === 'broker-kill'));
    for (const own of kills) expect(new Set(own.flatMap(placesOf)).size).toBeLessThanOrEqual(1);
  });
});
