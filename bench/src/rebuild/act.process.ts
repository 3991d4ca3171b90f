import { performance } from 'node:perf_hooks';
import pg from 'pg';
import { playPart } from '../part.js';
import type { RebuildReport } from './side.js';

export interface ActPart {
  readonly databaseUrl: string;
  /** Events that are fetched at a time. */
  readonly drainLimit: number;
}

interface ActEvent {
  readonly stream: string;
  readonly data: { readonly n: number };
}

/** What is used of the packages, which are there only once something is measured against them. */
interface Act {
  act(): { with(state: unknown): Builder };
  state(name: string, shape: unknown): StateBuilder;
  store(adapter?: unknown): unknown;
}
interface Builder {
  on(event: string): { do(handler: (event: ActEvent) => Promise<void>): { to(target: string): Builder } };
  build(drainLimit: number): { drain(): Promise<number> };
}
interface StateBuilder {
  init(init: () => unknown): {
    emits(events: Readonly<Record<string, unknown>>): {
      patch(patch: Readonly<Record<string, () => object>>): { build(): unknown };
    };
  };
}
interface ActPg {
  readonly PostgresStore: new (config: pg.PoolConfig & { readonly schema: string }) => { dispose(): Promise<void> };
}
interface Zod {
  readonly z: { object(shape: object): unknown; number(): unknown; string(): unknown };
}

const PACKAGE = '@rotorsoft/act';
const STORE_PACKAGE = '@rotorsoft/act-pg';
const SHAPE_PACKAGE = 'zod';

const CREATE = `
drop table if exists bench_act.things;
create table bench_act.things (id text primary key, n int not null, last int not null, sum double precision not null);
delete from bench_act.events_streams`;
const UPSERT = `
insert into bench_act.things values ($1, 1, $2::int, $2::int)
on conflict (id) do update set n = things.n + 1, last = excluded.last, sum = things.sum + excluded.sum`;

/**
 * Rebuilds one projection as Act does: a reaction that is drained from the begin of its log until nothing is left. One target for
 * all streams is its fastest: with a lease for each stream, 3,000 events over 1,000 streams were not drained within 100 s.
 */
playPart(async ({ databaseUrl, drainLimit }: ActPart): Promise<RebuildReport> => {
  const { act, state, store } = (await import(PACKAGE)) as Act;
  const { PostgresStore } = (await import(STORE_PACKAGE)) as ActPg;
  const { z } = (await import(SHAPE_PACKAGE)) as Zod;
  const { hostname: host, port, username: user, password, pathname } = new URL(databaseUrl);
  const database = decodeURIComponent(pathname.slice(1));
  const own = new PostgresStore({ host, port: Number(port), user, password, database, schema: 'bench_act' });
  store(own);
  const client = new pg.Client({ connectionString: databaseUrl });
  await client.connect();
  await client.query(CREATE);
  const thing = state('Thing', z.object({}))
    .init(() => ({}))
    .emits({ 'thing.happened': z.object({ n: z.number(), text: z.string() }) })
    .patch({ 'thing.happened': () => ({}) })
    .build();
  const app = act()
    .with(thing)
    .on('thing.happened')
    .do(async function project({ stream, data }) {
      await client.query({ name: 'upsert', text: UPSERT, values: [stream, data.n] });
    })
    .to('things')
    .build(drainLimit);
  const began = performance.now();
  while ((await app.drain()) > 0);
  const seconds = (performance.now() - began) / 1_000;
  const { rows } = await client.query<{ events: string }>('select sum(n) as events from bench_act.things');
  await client.end();
  await own.dispose();
  return { events: Number(rows[0]?.events), seconds, built: ['bench_act.things'] };
});
