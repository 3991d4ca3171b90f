import { performance } from 'node:perf_hooks';
import pg from 'pg';
import { playPart } from '../part.js';
import { emmettUrl } from './emmett-log.js';
import type { RebuildReport } from './side.js';

export interface EmmettPart {
  readonly databaseUrl: string;
  /** Messages that are read at a time; null for its own default (100, and 50 ms between two reads). */
  readonly batchSize: number | null;
}

/** What is used of the package, which is there only once something is measured against it. */
interface Emmett {
  postgreSQLRawSQLProjection(options: {
    readonly name: string;
    readonly canHandle: readonly string[];
    readonly init: () => unknown;
    readonly evolve: (event: EmmettEvent) => unknown;
  }): unknown;
  rebuildPostgreSQLProjections(options: {
    readonly connectionString: string;
    readonly pulling?: { readonly batchSize: number; readonly pullingFrequencyInMs: number };
    readonly projections: readonly unknown[];
  }): { start(): Promise<void>; close(): Promise<void> };
}

interface EmmettEvent {
  readonly data: { readonly n: number };
  readonly metadata: { readonly streamName: string };
}

interface Dumbo {
  rawSql(text: string): unknown;
  sql(text: string, ...values: unknown[]): unknown;
}

const PACKAGE = '@event-driven-io/emmett-postgresql';
const SQL_PACKAGE = '@event-driven-io/dumbo';

const CREATE = `
create table if not exists things (id text primary key, n int not null, last int not null, sum double precision not null)`;
const UPSERT = `
insert into things values (%L, 1, %s, %s)
on conflict (id) do update set n = things.n + 1, last = excluded.last, sum = things.sum + excluded.sum`;

/** Rebuilds one projection by Emmett's own function for it, into a table by SQL, which it applies event by event. */
playPart(async ({ databaseUrl, batchSize }: EmmettPart): Promise<RebuildReport> => {
  const { postgreSQLRawSQLProjection, rebuildPostgreSQLProjections } = (await import(PACKAGE)) as Emmett;
  const { rawSql, sql } = (await import(SQL_PACKAGE)) as Dumbo;
  const client = new pg.Client({ connectionString: databaseUrl });
  await client.connect();
  // Its rebuild goes on from the checkpoint of the one before.
  await client.query('drop table if exists bench_emmett.things; truncate bench_emmett.emt_processors');
  const projection = postgreSQLRawSQLProjection({
    name: 'bench-things',
    canHandle: ['thing.happened'],
    init: () => rawSql(CREATE),
    evolve: ({ data, metadata }) => sql(UPSERT, metadata.streamName, data.n, data.n),
  });
  const consumer = rebuildPostgreSQLProjections({
    connectionString: emmettUrl(databaseUrl),
    projections: [projection],
    ...(batchSize === null ? {} : { pulling: { batchSize, pullingFrequencyInMs: 1 } }),
  });
  const began = performance.now();
  await consumer.start();
  const seconds = (performance.now() - began) / 1_000;
  await consumer.close();
  const { rows } = await client.query<{ events: string }>('select sum(n) as events from bench_emmett.things');
  await client.end();
  return { events: Number(rows[0]?.events), seconds, built: ['bench_emmett.things'] };
});
