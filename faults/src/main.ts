import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { run, type RunResult } from './run/run.js';
import { DRIVERS, type Driver } from './servers/servers.js';
import { hasFailed, summarize } from './summary.js';

const USAGE = `npm run faults -- [--runs N] [--seed S] [--driver ${DRIVERS.join('|')}] [--json] [--keep]`;

interface Settings {
  readonly runs: number;
  readonly seed: number;
  readonly driver: Driver;
  readonly json: boolean;
  readonly keep: boolean;
}

/** Problems shown of a run; all are in its folder. */
const SHOWN = 10;

async function main(): Promise<number> {
  const settings = settingsFrom(process.argv.slice(2));
  if (!settings) {
    console.error(`usage: ${USAGE}`);
    return 2;
  }
  const { runs, seed, driver, json, keep } = settings;
  const results: RunResult[] = [];
  for (let each = seed; each < seed + runs; each += 1) {
    const folder = await mkdtemp(path.join(tmpdir(), `kappa-faults-${driver}-${each}-`));
    const result = await run(each, folder, driver);
    results.push(result);
    tell(driver, result, folder);
    if (!keep && !hasFailed(result)) await rm(folder, { recursive: true, force: true });
  }
  const summary = summarize(driver, results);
  if (json) console.log(JSON.stringify(summary));
  else {
    const { strikes, lost, doubled, reordered, mixed, failedSeeds, recoverMs } = summary;
    console.log(
      `${runs} runs, ${strikes} strikes: ${lost} lost, ${doubled} doubled, ${reordered} reordered, ${mixed} mixed; ` +
        `${failedSeeds.length} seeds failed; recovered within ${recoverMs.p50 ?? '–'} ms (p50), ${recoverMs.p99 ?? '–'} ms (p99), ${recoverMs.max ?? '–'} ms (worst)`,
    );
  }
  return summary.failedSeeds.length === 0 ? 0 : 1;
}

function tell(driver: Driver, result: RunResult, folder: string): void {
  const { seed, strikes, events, problems, faults, seconds } = result;
  console.log(
    `seed ${seed}: ${strikes.length} strikes, ${events} events, ${seconds.toFixed(1)} s: ${hasFailed(result) ? 'FAILED' : 'as promised'}`,
  );
  if (!hasFailed(result)) return;
  const lines = [...problems.map(({ kind, what }) => `${kind}: ${what}`), ...faults];
  for (const line of lines.slice(0, SHOWN)) console.log(`  ${line}`);
  if (lines.length > SHOWN) console.log(`  and ${lines.length - SHOWN} more`);
  console.log(`  again with: npm run faults -- --driver ${driver} --runs 1 --seed ${seed}`);
  console.log(`  logs, journals, schedule and evidence: ${folder}`);
}

function settingsFrom(args: string[]): Settings | null {
  try {
    const { values } = parseArgs({
      args,
      options: {
        runs: { type: 'string', default: '1' },
        seed: { type: 'string', default: String(Math.floor(Date.now() / 1_000) % 1_000_000) },
        driver: { type: 'string', default: 'postgres' },
        json: { type: 'boolean', default: false },
        keep: { type: 'boolean', default: false },
      },
    });
    const runs = Number(values.runs);
    const seed = Number(values.seed);
    const driver = DRIVERS.find((name) => name === values.driver);
    if (!Number.isInteger(runs) || runs < 1 || !Number.isInteger(seed) || seed < 0 || !driver) return null;
    return { runs, seed, driver, json: values.json, keep: values.keep };
  } catch {
    return null;
  }
}

for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(130));

main().then(
  (code) => {
    process.exitCode = code;
  },
  (error: unknown) => {
    console.error(error instanceof Error ? (error.stack ?? error.message) : String(error));
    process.exitCode = 1;
  },
);
