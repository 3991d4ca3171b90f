import path from 'node:path';
import type { Driver } from '../servers/servers.js';
import type { Processes } from './processes.js';

/** After how many seeds one failed, null when none did, or why that cannot be told. */
export type SeedRun = { readonly after: number | null } | { readonly broken: string };

/** The harness, built from the sources below `root`, with one seed after the other until one fails. */
export async function runSeeds(root: string, processes: Processes, driver: Driver, seeds: readonly number[]): Promise<SeedRun> {
  for (const [index, seed] of seeds.entries()) {
    const args = [
      path.join(root, 'scripts', 'faults.mjs'),
      '--driver',
      driver,
      '--runs',
      '1',
      '--seed',
      String(seed),
      '--json',
    ];
    const { stdout, stderr } = await processes.run(process.execPath, args, root);
    const last = stdout.trim().split('\n').at(-1) ?? '';
    // The sources were not built, or the servers did not start: no seed was run.
    if (!last.startsWith('{')) return { broken: `${stdout}\n${stderr}`.trim() };
    const { failedSeeds } = JSON.parse(last) as { readonly failedSeeds: readonly number[] };
    if (failedSeeds.length > 0) return { after: index + 1 };
  }
  return { after: null };
}
