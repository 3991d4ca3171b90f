import { performance } from 'node:perf_hooks';
import { Database, ProjectionOperations } from 'nest-kappa';
import { roundsOf, type Bench } from './bench.js';
import { readEnvironment } from './environment.js';
import { openFinesLog } from './fines-log.js';
import { runHandWrittenLoop } from './hand-written-loop.js';
import { compared, type BenchResult } from './result.js';

const TABLES = ['fines', 'activity_totals', 'monthly_payments'];
const QUICK_EVENTS = 100_000;

export const rebuild: Bench = {
  logs: ['postgres'],
  run: async (settings) => {
    const log = await openFinesLog(settings.quick ? QUICK_EVENTS : null);
    try {
      const database = log.app.get(Database, { strict: false });
      const operations = log.app.get(ProjectionOperations, { strict: false });
      const environment = await readEnvironment(database);
      return { environment, results: [await benchRebuild(database, operations, log.events, roundsOf(settings))] };
    } finally {
      await log.close();
    }
  },
};

/** Rebuilds the three tables of the fines in one pass, in turn with the hand-written loop, and compares every row. */
async function benchRebuild(
  database: Database,
  operations: ProjectionOperations,
  events: number,
  rounds: number,
): Promise<BenchResult> {
  const ours: number[] = [];
  const theirs: number[] = [];
  for (let round = 0; round < rounds; round += 1) {
    theirs.push(events / (await timed(() => runHandWrittenLoop(database, 'fines'))));
    ours.push(events / (await timed(() => rebuildAll(operations))));
    await compareTables(database, operations);
    await dropCandidates(operations);
  }
  return compared(
    {
      bench: 'rebuild',
      case: `three projections in one pass, ${events.toLocaleString('en')} events of fines`,
      unit: 'events/s',
      against: 'hand-written loop (page, fold in Maps, unnest upserts, checkpoint a page)',
      atLeast: 0.5,
      aim: 1.2,
    },
    { ours, theirs },
  );
}

async function rebuildAll(operations: ProjectionOperations): Promise<void> {
  for await (const progress of operations.rebuild({ projections: TABLES })) {
    if (progress.phase === 'failed') throw new Error(progress.error ?? 'the rebuild failed');
  }
}

/** A time counts only when what was built is right: no row of either side is missing on the other. */
async function compareTables(database: Database, operations: ProjectionOperations): Promise<void> {
  for (const status of await operations.status(TABLES)) {
    const candidate = status.builds.findLast(({ active, build }) => !active && build.state === 'ready');
    if (!candidate) throw new Error(`${status.name} has no ready build to compare`);
    const table = `"${database.schema}"."${candidate.build.tableName}"`;
    const columns = candidate.build.shape.columns.map(({ name }) => `"${name}"`).join(', ');
    const { rows } = await database.query<{ differences: number }>(
      `select count(*) as differences from ((select ${columns} from ${table} except all select ${columns} from bench.${status.name})
        union all (select ${columns} from bench.${status.name} except all select ${columns} from ${table})) d`,
    );
    if (rows[0]?.differences !== 0)
      throw new Error(`${status.name}: ${rows[0]?.differences} rows differ from the hand-written loop`);
  }
}

/** Each round builds anew: a candidate that stayed would be handed back instead of being built. */
async function dropCandidates(operations: ProjectionOperations): Promise<void> {
  for (const { name, builds } of await operations.status(TABLES)) {
    for (const { active, build } of builds) if (!active) await operations.drop(name, { build: build.id });
  }
  const left = (await operations.status(TABLES)).flatMap(({ builds }) => builds.filter(({ active }) => !active));
  if (left.length > 0) throw new Error(`${left.length} builds of the round before are still there`);
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await work();
  return (performance.now() - start) / 1_000;
}
