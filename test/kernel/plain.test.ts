import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { inspect, promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { plain } from '../../src/kernel/plain.js';

interface Place {
  readonly topic: string;
  readonly offset: number;
}

const PlaceOf = plain<Place, [topic: string, offset: number]>(function (topic, offset) {
  this.topic = topic;
  this.offset = offset;
});

describe('plain', () => {
  it('makes what a literal makes', () => {
    const made = new PlaceOf('fines', 7);
    expect(made).toStrictEqual({ topic: 'fines', offset: 7 });
    expect(Object.getPrototypeOf(made)).toBe(Object.prototype);
    expect(Object.keys(made)).toEqual(['topic', 'offset']);
    expect(inspect(made)).toBe("{ topic: 'fines', offset: 7 }");
    expect(structuredClone(made)).toStrictEqual({ ...made });
  });

  const HELD = 6_000;
  it.each(['read', 'decide'])('of events that are held while many are made the engine learns nothing (%s)', async (work) => {
    expect(await learned(work, HELD)).toEqual([]);
  });
});

/** Literals nearly all of whose objects the engine has found alive at its sweeps, with how many. */
async function learned(work: string, held: number): Promise<readonly (readonly [string, number])[]> {
  // Code that is not optimised counts what it makes: here all of it.
  const flags = ['--expose-gc', '--no-opt', '--min-semi-space-size=64', '--trace-pretenuring-statistics'];
  const script = fileURLToPath(new URL('hold-many.mjs', import.meta.url));
  const { stdout } = await promisify(execFile)(process.execPath, [...flags, script, work, String(held)]);
  const found = new Map<string, number>();
  for (const [, site = '', count] of stdout.matchAll(/AllocationSite\((\w+)\): .*\(\d+, (\d+), [\d.]+\)/g))
    found.set(site, (found.get(site) ?? 0) + Number(count));
  expect(found.size).toBeGreaterThan(0);
  return [...found].filter(([, count]) => count >= held * 0.85);
}
