import { performance } from 'node:perf_hooks';
import { Database, ProjectionOperations } from 'nest-kappa';
import { roundsOf, type BenchSettings } from '../bench.js';
import { compared, type BenchResult } from '../result.js';
import { openFinesLog } from './fines-log.js';
import { runHandWrittenLoop } from './fines-loop.js';
import { assertSameRows } from './same-rows.js';

const TABLES = ['fines', 'activity_totals', 'monthly_payments'];

/** Rebuilds the three tables of the fines in one pass, in turn with the hand-written loop, and compares every row. */
export async function rebuildFines(settings: BenchSettings): Promise<BenchResult> {
  const log = await openFinesLog();
  try {
    const database = log.app.get(Database, { strict: false });
    const operations = log.app.get(ProjectionOperations, { strict: false });
    const ours: number[] = [];
    const theirs: number[] = [];
    for (let round = 0; round < roundsOf(settings); round += 1) {
      theirs.push(log.events / (await timed(() => runHandWrittenLoop(database, 'fines'))));
      ours.push(log.events / (await timed(() => rebuildAll(operations))));
      await compareTables(database, operations);
      await dropCandidates(operations);
    }
    return compared(
      {
        bench: 'rebuild',
        case: `three projections in one pass, ${log.events.toLocaleString('en')} events of fines`,
        unit: 'events/s',
        against: 'hand-written loop (page, fold in Maps, unnest upserts, checkpoint a page)',
        atLeast: 1.2,
        aim: 2,
      },
      { ours, theirs },
    );
  } finally {
    await log.close();
  }
}

async function rebuildAll(operations: ProjectionOperations): Promise<void> {
  for await (const progress of operations.rebuild({ projections: TABLES })) {
    if (progress.phase === 'failed') throw new Error(progress.error ?? 'the rebuild failed');
  }
}

async function compareTables(database: Database, operations: ProjectionOperations): Promise<void> {
  for (const status of await operations.status(TABLES)) {
    const candidate = status.builds.findLast(({ active, build }) => !active && build.state === 'ready');
    if (!candidate) throw new Error(`${status.name} has no ready build to compare`);
    const { tableName, shape } = candidate.build;
    const columns = shape.columns.map(({ name }) => name);
    await assertSameRows(database, `"${database.schema}"."${tableName}"`, `bench.${status.name}`, columns);
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
