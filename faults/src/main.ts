import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { proveCommand } from './prove/prove-command.js';
import { run, type RunResult } from './run/run.js';
import { DRIVERS, type Driver } from './servers/servers.js';
import { hasFailed, summarize } from './summary.js';

const USAGE = `npm run faults -- [--runs N] [--seed S] [--driver ${DRIVERS.join('|')}] [--json] [--keep]
       npm run faults -- --prove [--guard NAME]... [--json]`;

interface Settings {
  readonly prove: null;
  readonly runs: number;
  readonly seed: number;
  readonly driver: Driver;
  readonly json: boolean;
  readonly keep: boolean;
}

interface ProveSettings {
  readonly prove: readonly string[];
  readonly json: boolean;
}

/** Problems shown of a run; all are in its folder. */
const SHOWN = 10;

async function main(): Promise<number> {
  const settings = settingsFrom(process.argv.slice(2));
  if (!settings) {
    console.error(`usage: ${USAGE}`);
    return 2;
  }
  if (settings.prove) return proveCommand({ guards: settings.prove, json: settings.json });
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(130));
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
        `${failedSeeds.length} seeds failed; recovered within ${recoverMs.p50 ?? '–'} ms (p50), ${recoverMs.p99 ?? '–'} ms (p99), ${recoverMs.max ?? '–'} ms (worst) ` +
        `after the ${recoverMs.strikes} strikes that appends followed`,
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

function settingsFrom(args: string[]): Settings | ProveSettings | null {
  try {
    const { values } = parseArgs({
      args,
      options: {
        runs: { type: 'string' },
        seed: { type: 'string' },
        driver: { type: 'string' },
        json: { type: 'boolean', default: false },
        keep: { type: 'boolean' },
        prove: { type: 'boolean', default: false },
        guard: { type: 'string', multiple: true },
      },
    });
    if (values.prove) {
      if ([values.runs, values.seed, values.driver, values.keep].some((value) => value !== undefined)) return null;
      return { prove: (values.guard ?? []).flatMap((names) => names.split(',')), json: values.json };
    }
    if (values.guard) return null;
    const runs = Number(values.runs ?? 1);
    const seed = Number(values.seed ?? Math.floor(Date.now() / 1_000) % 1_000_000);
    const driver = DRIVERS.find((name) => name === (values.driver ?? 'postgres'));
    if (!Number.isInteger(runs) || runs < 1 || !Number.isInteger(seed) || seed < 0 || !driver) return null;
    return { prove: null, runs, seed, driver, json: values.json, keep: values.keep ?? false };
  } catch {
    return null;
  }
}

main().then(
  (code) => {
    process.exitCode = code;
  },
  (error: unknown) => {
    console.error(error instanceof Error ? (error.stack ?? error.message) : String(error));
    process.exitCode = 1;
  },
);
