import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect } from 'vitest';

/**
 * Runs a script that makes so many objects of each kind and holds them over a sweep, and returns the literals nearly all of whose
 * objects the engine has found alive, with how many: of those it learns that what they make lives long.
 */
export async function tenuredLiterals(
  script: URL,
  held: number,
  ...args: string[]
): Promise<readonly (readonly [string, number])[]> {
  // Code that is not optimised counts what it makes: here all of it, in a young generation that no other sweep empties.
  const flags = ['--expose-gc', '--no-opt', '--min-semi-space-size=64', '--trace-pretenuring-statistics'];
  const { stdout } = await promisify(execFile)(process.execPath, [...flags, fileURLToPath(script), String(held), ...args], {
    maxBuffer: 64 * 1024 * 1024,
  });
  const found = new Map<string, number>();
  for (const [, site = '', count] of stdout.matchAll(/AllocationSite\((\w+)\): .*\(\d+, (\d+), [\d.]+\)/g))
    found.set(site, (found.get(site) ?? 0) + Number(count));
  expect(found.size).toBeGreaterThan(0);
  return [...found].filter(([, count]) => count >= held * 0.85);
}
