import { join } from 'node:path';
import type { Statement } from 'nest-kappa';
import { startPostgres } from 'nest-kappa/testing';
import pg from 'pg';
import type { BenchSettings } from '../bench.js';
import { makeDataFolder } from '../data-folder.js';
import { readEnvironment } from '../environment.js';
import { startPart } from '../part.js';
import { differingAtMost, type BenchReport } from '../result.js';
import type { BareAppPart } from './bare-app.process.js';
import { parentOf, processesNaming } from './cpu-time.js';
import type { IdlePart, IdleReport } from './ours.process.js';
import { restingCpu } from './sides.js';

const PARTITIONS = 8;

/** The application with its embedded PostgreSQL and what watches over that, beside a bare one with a PostgreSQL of its own. */
export async function idleOnPostgres(settings: BenchSettings): Promise<BenchReport> {
  const folder = await makeDataFolder();
  const bare = await startPostgres({
    folder: join(folder.path, 'bare'),
    settings: { fsync: 'on', full_page_writes: 'on', max_connections: '100' },
  });
  try {
    const ours = await startPart<IdlePart, IdleReport>(new URL('./ours.process.js', import.meta.url), {
      database: { dataDir: join(folder.path, 'kappa') },
      brokers: [],
      partitions: PARTITIONS,
    });
    const theirs = await startPart<BareAppPart, null>(new URL('./bare-app.process.js', import.meta.url), {
      databaseUrl: bare.url,
    });
    const server = await connected(ours.report.databaseUrl, async (client) => ({
      postmaster: await postmasterOf(client),
      environment: await readEnvironment({ query: async (text, values) => queried(client, text, values) }),
    }));
    const watchdogs = await processesNaming(`nest-kappa-watchdog ${server.postmaster} `);
    const runs = await restingCpu(
      settings,
      [ours.pid, server.postmaster, ...watchdogs],
      [theirs.pid, await connected(bare.url, postmasterOf)],
    );
    await ours.stop();
    await theirs.stop();
    const result = differingAtMost(
      {
        bench: 'idle',
        case: `CPU at rest of application and PostgreSQL, log postgres: 2 live projections, ${PARTITIONS} partitions; the ratio is a difference`,
        unit: '% of a core',
        against: 'idle bare Nest application with a pool of pg, and its own PostgreSQL',
        atLeast: 1,
        aim: 0.2,
      },
      runs,
    );
    return { environment: server.environment, results: [result] };
  } finally {
    await bare.stop();
    await folder.remove();
  }
}

async function connected<T>(url: string, work: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}

/** Backends are its children, those that have ended too. */
async function postmasterOf(client: pg.Client): Promise<number> {
  const { rows } = await client.query<{ pid: number }>('select pg_backend_pid() as pid');
  return parentOf(rows[0]?.pid ?? 0);
}

async function queried<Row extends object>(
  client: pg.Client,
  statement: string | Statement,
  values: readonly unknown[] = [],
): Promise<{ rows: Row[]; rowCount: number }> {
  const { text } = typeof statement === 'string' ? { text: statement } : statement;
  const { rows, rowCount } = await client.query<Row>(text, [...values]);
  return { rows, rowCount: rowCount ?? 0 };
}
