import type { Migration } from '../../database/migration.js';
import { appendFunctions } from './append-functions.js';
import { retentionFunctions } from './retention-functions.js';

/** The tables and functions of the log. */
export const logMigrations: readonly Migration[] = [
  { id: 'log-0001-records', up: ({ schema }) => records(schema) },
  { id: 'log-0002-append', up: ({ schema }) => appendFunctions(schema) },
  { id: 'log-0003-groups', up: ({ schema }) => groups(schema) },
  { id: 'log-0004-sessions', up: ({ schema }) => sessions(schema) },
  { id: 'log-0005-retention', up: ({ schema }) => retentionFunctions(schema) },
  { id: 'log-0006-group-topics', up: ({ schema }) => groupTopics(schema) },
  { id: 'log-0007-stored-headers', up: ({ schema }) => storedHeaders(schema) },
];

/**
 * One table for all topics, on purpose not partitioned: a unique key on (stream, version) is refused on a table that is
 * partitioned by topic, and it is the second line behind the partition lock. Headers are `json`: kept as written, which reads
 * 20% faster than jsonb and keeps every text that JSON can escape. No foreign key to topics: it would lock the topic's row for
 * every record.
 */
const records = (schema: string) => `
create table ${schema}.log_identity (
  one boolean primary key default true check (one),
  cluster uuid not null default gen_random_uuid()
);
insert into ${schema}.log_identity default values;

create table ${schema}.topics (
  id int generated always as identity primary key,
  name text collate "C" not null unique,
  partitions int not null check (partitions > 0),
  retention_ms bigint,
  retention_bytes bigint,
  incarnation uuid not null default gen_random_uuid(),
  created_at timestamptz not null default now()
);

create table ${schema}.log_records (
  "offset" bigint not null,
  recorded_at timestamptz not null,
  topic_id int not null,
  partition int not null,
  version int,
  key text,
  value bytea,
  headers json not null,
  event_type text,
  -- tenant/aggregate/id of an aggregate's event; version counts within it
  stream text collate "C",
  primary key (topic_id, partition, "offset")
);
create unique index log_records_stream on ${schema}.log_records (stream, version) where stream is not null;

-- Written by retention alone: where a partition begins, and how many bytes it has lost so far.
create table ${schema}.partition_begins (
  topic_id int not null,
  partition int not null,
  begin_offset bigint not null,
  removed_bytes bigint not null default 0,
  primary key (topic_id, partition)
);

-- The version of a stream whose rows retention has removed.
create table ${schema}.stream_heads (
  stream text collate "C" primary key,
  version int not null
);
`;

const groups = (schema: string) => `
-- Leases are for liveness only: who may own partitions of the group.
create table ${schema}.group_members (
  group_name text collate "C" not null,
  member uuid not null,
  partitions int not null,
  lease_until timestamptz not null,
  primary key (group_name, member)
) with (fillfactor = 50);

-- Who owns the partitions of one number, over all topics of the group.
create table ${schema}.group_partitions (
  group_name text collate "C" not null,
  partition int not null,
  owner uuid,
  primary key (group_name, partition)
) with (fillfactor = 50);

create table ${schema}.group_offsets (
  group_name text collate "C" not null,
  topic_id int not null,
  partition int not null,
  next_offset bigint not null,
  primary key (group_name, topic_id, partition)
) with (fillfactor = 50);
`;

/** Who looks at a group wants to know what it reads; ownership is by number alone. */
const groupTopics = (schema: string) => `
alter table ${schema}.group_members add column topics text[] not null default '{}';
`;

const sessions = (schema: string) => `
create table ${schema}.session_tasks (
  task text collate "C" primary key,
  epoch bigint not null
) with (fillfactor = 50);

-- Records and offsets of one transaction of a task; the epoch is checked under the row's lock, partitions are locked last.
create function ${schema}.commit_session(
  p_task text, p_epoch bigint,
  p_groups text[], p_offset_topic_ids int[], p_offset_partitions int[], p_offsets bigint[],
  p_topic_ids int[], p_partitions int[], p_counts int[],
  p_keys text[], p_values bytea[], p_headers text[], p_event_types text[]
) returns bigint[]
language plpgsql volatile as $body$
declare
  v_epoch bigint;
begin
  select t.epoch into v_epoch from ${schema}.session_tasks t where t.task = p_task for update;
  if v_epoch is distinct from p_epoch then
    raise exception using errcode = 'KA002', message = 'task ' || p_task || ' has a later session';
  end if;
  insert into ${schema}.group_offsets as o (group_name, topic_id, partition, next_offset)
  select w.group_name, w.topic_id, w.partition, w.next_offset
  from unnest(p_groups, p_offset_topic_ids, p_offset_partitions, p_offsets) as w (group_name, topic_id, partition, next_offset)
  order by w.group_name, w.topic_id, w.partition
  on conflict (group_name, topic_id, partition) do update set next_offset = excluded.next_offset;
  if pg_catalog.cardinality(p_topic_ids) = 0 then
    return '{}';
  end if;
  return ${schema}.append_records(p_topic_ids, p_partitions, p_counts, p_keys, p_values, p_headers, p_event_types);
end
$body$;
`;

/** Changes a comment alone: code that does not know of headers that are left out does not start on a schema with steps of a later release. */
const storedHeaders = (schema: string) => `
comment on column ${schema}.log_records.headers is
  'of an event (a row with a version) without ce_specversion, ce_streamversion and, where they are as the row or most events have them, ce_subject, ce_eventversion, content-type, ce_causationid';
`;
