import { setTimeout as sleep } from 'node:timers/promises';
import type { Database } from 'nest-kappa';

interface Emmett {
  getPostgreSQLEventStore(url: string): { readonly schema: { migrate(): Promise<unknown> }; close(): Promise<void> };
}

const PACKAGE = '@event-driven-io/emmett-postgresql';

/** The first events of a topic, in the order in which they were recorded, as Emmett's append would have written them. */
const COPY = `
with records as (
  select r.* from log_records r join topics t on t.id = r.topic_id where t.name = $1 order by r.recorded_at limit $2
), streams as (
  insert into bench_emmett.emt_streams (stream_id, stream_position, stream_type, stream_metadata, partition)
  select r.key, max(r.version), 'thing', '{}', 'emt:default' from records r group by r.key
)
insert into bench_emmett.emt_messages (stream_id, stream_position, partition, message_data, message_metadata, message_schema_version,
  message_type, message_id, transaction_id)
select r.key, r.version, 'emt:default', convert_from(r.value, 'UTF8')::jsonb, '{}', '1', r.event_type, r.headers->>'ce_id',
  pg_current_xact_id()
from records r order by r.recorded_at`;

const VISIBLE = `
select max(transaction_id::text::bigint) < pg_snapshot_xmin(pg_current_snapshot())::text::bigint as yes from bench_emmett.emt_messages`;

/** Emmett names no schema: its tables stand where the connection's search path begins. */
export function emmettUrl(databaseUrl: string): string {
  const url = new URL(databaseUrl);
  url.searchParams.set('options', '-c search_path=bench_emmett');
  return url.href;
}

/** Fills Emmett's own tables, made by itself, with so many events of a generated topic. */
export async function loadEmmett(database: Database, topic: string, events: number): Promise<void> {
  const { getPostgreSQLEventStore } = (await import(PACKAGE)) as Emmett;
  await database.query('drop schema if exists bench_emmett cascade; create schema bench_emmett');
  const store = getPostgreSQLEventStore(emmettUrl(database.url));
  await store.schema.migrate();
  await store.close();
  await database.query(COPY, [topic, events]);
  await database.query('vacuum analyze bench_emmett.emt_messages');
  // It reads below the oldest transaction under way, and a rebuild that sees nothing there ends at once.
  const visible = async (): Promise<boolean> => (await database.query<{ yes: boolean }>(VISIBLE)).rows[0]?.yes === true;
  while (!(await visible())) await sleep(100);
}
