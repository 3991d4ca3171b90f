import { writeFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { Database, ProjectionOperations } from 'nest-kappa';
import { readEnvironment } from './environment.js';
import { openFinesLog } from './fines-log.js';
import { benchRebuild } from './rebuild.js';
import { printResult, type BenchReport } from './result.js';

const USAGE = 'npm run bench -- rebuild [--quick] [--rounds N] [--json FILE]';
const QUICK_EVENTS = 100_000;

async function main(): Promise<number> {
  const { positionals, values } = parseArgs({
    allowPositionals: true,
    options: { quick: { type: 'boolean', default: false }, rounds: { type: 'string' }, json: { type: 'string' } },
  });
  if (positionals.length !== 1 || positionals[0] !== 'rebuild') {
    console.error(`Which bench? ${USAGE}`);
    return 2;
  }
  const rounds = Number(values.rounds ?? (values.quick ? 3 : 5));
  const log = await openFinesLog(values.quick ? QUICK_EVENTS : null);
  try {
    const database = log.app.get(Database, { strict: false });
    const environment = await readEnvironment(database);
    console.log(JSON.stringify(environment, null, 2));
    const result = await benchRebuild(database, log.app.get(ProjectionOperations, { strict: false }), log.events, rounds);
    printResult(result);
    const report: BenchReport = { environment, results: [result] };
    if (values.json) await writeFile(resolve(process.env['INIT_CWD'] ?? '.', values.json), `${JSON.stringify(report, null, 2)}\n`);
    return 0;
  } finally {
    await log.close();
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
