import type { Database } from 'nest-kappa';

/** The first events of a topic, in the order in which they were recorded, in the tables that Act's store makes. */
const LOAD = `
insert into bench_act.events (name, data, stream, version, created, meta)
select r.event_type, convert_from(r.value, 'UTF8')::jsonb, r.key, r.version - 1, r.recorded_at,
  json_build_object('correlation', r.headers->>'ce_correlationid', 'causation', json_build_object())
from log_records r join topics t on t.id = r.topic_id where t.name = $1 order by r.recorded_at limit $2`;

/** As `seed` of its store makes them. */
const TABLES = `
drop schema if exists bench_act cascade;
create schema bench_act;
create table bench_act.events (id serial primary key, name varchar(100) not null, data jsonb, stream varchar(100) not null,
  version int not null, created timestamptz not null default now(), meta jsonb);
create unique index on bench_act.events (stream, version);
create index on bench_act.events (name);
create index on bench_act.events (created, id);
create index on bench_act.events ((meta ->> 'correlation'));
create table bench_act.events_streams (stream varchar(100) primary key, at int not null default -1, retry smallint not null default 0,
  blocked boolean not null default false, leased_at int, leased_by uuid, leased_until timestamptz);
create index on bench_act.events_streams (blocked, at)`;

/** Fills them with so many events of a generated topic. */
export async function loadAct(database: Database, topic: string, events: number): Promise<void> {
  await database.query(TABLES);
  await database.query(LOAD, [topic, events]);
  await database.query('vacuum analyze bench_act.events');
}
