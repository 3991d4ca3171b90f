import { writeFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { Database, ProjectionOperations } from 'nest-kappa';
import { readEnvironment } from './environment.js';
import { openFinesLog } from './fines-log.js';
import { benchForeignSnapshot } from './foreign-snapshot.js';
import { benchRebuild } from './rebuild.js';
import { printResult, type BenchReport } from './result.js';

const USAGE = 'npm run bench -- rebuild|snapshot [--quick] [--rounds N] [--json FILE]';
const QUICK_EVENTS = 100_000;
const SNAPSHOT_SECONDS = 60;

interface Settings {
  readonly quick: boolean;
  readonly rounds: number | null;
}

/** What can be asked for by name. */
const BENCHES: Readonly<Record<string, (settings: Settings) => Promise<BenchReport>>> = {
  rebuild: async ({ quick, rounds }) => {
    const log = await openFinesLog(quick ? QUICK_EVENTS : null);
    try {
      const database = log.app.get(Database, { strict: false });
      const environment = await readEnvironment(database);
      const result = await benchRebuild(
        database,
        log.app.get(ProjectionOperations, { strict: false }),
        log.events,
        rounds ?? (quick ? 3 : 5),
      );
      return { environment, results: [result] };
    } finally {
      await log.close();
    }
  },
  snapshot: ({ quick, rounds }) =>
    benchForeignSnapshot(rounds ?? (quick ? 1 : 3), quick ? SNAPSHOT_SECONDS / 4 : SNAPSHOT_SECONDS),
};

async function main(): Promise<number> {
  const { positionals, values } = parseArgs({
    allowPositionals: true,
    options: { quick: { type: 'boolean', default: false }, rounds: { type: 'string' }, json: { type: 'string' } },
  });
  const bench = BENCHES[positionals[0] ?? ''];
  if (positionals.length !== 1 || !bench) {
    console.error(`Which bench? ${USAGE}`);
    return 2;
  }
  const report = await bench({ quick: values.quick, rounds: values.rounds === undefined ? null : Number(values.rounds) });
  console.log(JSON.stringify(report.environment, null, 2));
  report.results.forEach(printResult);
  if (values.json)
    await writeFile(resolve(process.env['INIT_CWD'] ?? '.', values.json), `${JSON.stringify(report, null, 2)}\n`);
  return 0;
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
