import { writeFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { append } from './append/append.js';
import type { Bench, BenchSettings } from './bench.js';
import { foreignSnapshot } from './foreign-snapshot.js';
import { idle } from './idle/idle.js';
import { latency } from './latency/latency.js';
import { read } from './read/read.js';
import { rebuild } from './rebuild/rebuild.js';
import { printResult, type BenchReport } from './result.js';
import { scale } from './scale/scale.js';
import { swap } from './swap/swap.js';

/** What can be asked for by name. */
const BENCHES: Readonly<Record<string, Bench>> = {
  append,
  rebuild,
  snapshot: foreignSnapshot,
  latency,
  read,
  swap,
  scale,
  idle,
};

const USAGE = `npm run bench -- ${Object.keys(BENCHES).join('|')}|all [--log postgres|kafka] [--quick] [--rounds N] [--json FILE]`;

async function main(): Promise<number> {
  const { positionals, values } = parseArgs({
    allowPositionals: true,
    options: {
      log: { type: 'string', default: 'postgres' },
      quick: { type: 'boolean', default: false },
      rounds: { type: 'string' },
      json: { type: 'string' },
    },
  });
  const { log } = values;
  const [name = '', ...others] = positionals;
  const rounds = values.rounds === undefined ? null : Number(values.rounds);
  if (
    (log !== 'postgres' && log !== 'kafka') ||
    others.length > 0 ||
    (rounds !== null && !(Number.isInteger(rounds) && rounds > 0))
  )
    return refuse(`Cannot be understood. ${USAGE}`);
  const asked = name === 'all' ? Object.values(BENCHES).filter(({ logs }) => logs.includes(log)) : [BENCHES[name]];
  if (!asked[0]) return refuse(`Which bench? ${USAGE}`);
  if (!asked[0].logs.includes(log)) return refuse(`${name} is measured on ${asked[0].logs.join(' and ')} only. ${USAGE}`);
  const report = await runAll(
    asked.filter((bench) => bench !== undefined),
    { quick: values.quick, rounds, log },
  );
  console.log(JSON.stringify(report.environment, null, 2));
  report.results.forEach(printResult);
  if (values.json)
    await writeFile(resolve(process.env['INIT_CWD'] ?? '.', values.json), `${JSON.stringify(report, null, 2)}\n`);
  return 0;
}

/** One after the other: each has the machine to itself. */
async function runAll(benches: readonly Bench[], settings: BenchSettings): Promise<BenchReport> {
  const reports: BenchReport[] = [];
  for (const bench of benches) reports.push(await bench.run(settings));
  const [first] = reports;
  if (!first) throw new Error('nothing was measured');
  const kafka = reports.find(({ environment }) => environment.kafka)?.environment.kafka ?? null;
  return { environment: { ...first.environment, kafka }, results: reports.flatMap(({ results }) => results) };
}

function refuse(words: string): number {
  console.error(words);
  return 2;
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
