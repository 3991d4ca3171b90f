import type { Migration } from '../../database/migration.js';

/** The tables and functions of the log. */
export const logMigrations: readonly Migration[] = [
  { id: 'log-0001-records', up: ({ schema }) => records(schema) },
  { id: 'log-0002-append', up: ({ schema }) => append(schema) },
  { id: 'log-0003-groups', up: ({ schema }) => groups(schema) },
  { id: 'log-0004-sessions', up: ({ schema }) => sessions(schema) },
  { id: 'log-0005-retention', up: ({ schema }) => retention(schema) },
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

/**
 * Order and offsets of a partition are decided under one lock of that partition, held from here to the end of the
 * transaction. Statements of a volatile function take fresh snapshots under READ COMMITTED, so that what is read after the lock
 * is what the former holder committed; there is no counter row, for one hot row dies under a foreign snapshot.
 * Bodies are qualified, because the application's own connections call them too. Sequential scans are off in the look-ups: a
 * plan that was cached while the table was small would read all of it later.
 */
const append = (schema: string) => `
create function ${schema}.partition_lock(p_topic_id int, p_partition int) returns bigint
language sql immutable parallel safe
return pg_catalog.hashtextextended(${literal(schema)} || '/' || p_topic_id::text || '/' || p_partition::text, 7215);

create function ${schema}.lock_partitions(p_topic_ids int[], p_partitions int[]) returns void
language plpgsql volatile as $body$
declare
  v_key bigint;
begin
  if pg_catalog.current_setting('transaction_isolation') <> 'read committed' then
    raise exception using
      errcode = 'KA001',
      message = 'records are appended in READ COMMITTED transactions only, this one is '
        || pg_catalog.upper(pg_catalog.current_setting('transaction_isolation'));
  end if;
  if pg_catalog.cardinality(p_topic_ids) = 1 then
    perform pg_catalog.pg_advisory_xact_lock(${schema}.partition_lock(p_topic_ids[1], p_partitions[1]));
    return;
  end if;
  for v_key in
    select distinct ${schema}.partition_lock(w.topic_id, w.partition)
    from unnest(p_topic_ids, p_partitions) as w (topic_id, partition)
    order by 1
  loop
    perform pg_catalog.pg_advisory_xact_lock(v_key);
  end loop;
end
$body$;

-- Where the partition ends, and a time that does not lie before its last record. Call it after lock_partitions.
create function ${schema}.partition_tail(p_topic_id int, p_partition int, out next_offset bigint, out recorded_at timestamptz)
language plpgsql volatile set enable_seqscan = off set enable_bitmapscan = off as $body$
begin
  select r."offset" + 1, r.recorded_at into next_offset, recorded_at
  from ${schema}.log_records r
  where r.topic_id = p_topic_id and r.partition = p_partition
  order by r."offset" desc
  limit 1;
  if next_offset is null then
    select b.begin_offset into next_offset
    from ${schema}.partition_begins b
    where b.topic_id = p_topic_id and b.partition = p_partition;
  end if;
  next_offset := coalesce(next_offset, 0);
  recorded_at := greatest(recorded_at, pg_catalog.clock_timestamp());
end
$body$;

create function ${schema}.next_offset(p_topic_id int, p_partition int) returns bigint
language plpgsql volatile as $body$
begin
  return (select t.next_offset from ${schema}.partition_tail(p_topic_id, p_partition) t);
end
$body$;

-- Appends records that are grouped by partition: group i of p_counts[i] records goes to p_topic_ids[i], p_partitions[i].
create function ${schema}.append_records(
  p_topic_ids int[], p_partitions int[], p_counts int[],
  p_keys text[], p_values bytea[], p_headers text[], p_event_types text[]
) returns bigint[]
language plpgsql volatile as $body$
declare
  v_from int := 1;
  v_next bigint;
  v_at timestamptz;
  v_ends bigint[] := '{}';
begin
  perform ${schema}.lock_partitions(p_topic_ids, p_partitions);
  for i in 1 .. pg_catalog.cardinality(p_topic_ids) loop
    select t.next_offset, t.recorded_at into v_next, v_at
    from ${schema}.partition_tail(p_topic_ids[i], p_partitions[i]) t;
    if p_counts[i] = 1 then
      insert into ${schema}.log_records ("offset", recorded_at, topic_id, partition, key, value, headers, event_type)
      values (v_next, v_at, p_topic_ids[i], p_partitions[i], p_keys[v_from], p_values[v_from], p_headers[v_from]::json, p_event_types[v_from]);
    else
      insert into ${schema}.log_records ("offset", recorded_at, topic_id, partition, key, value, headers, event_type)
      select v_next + n.number - 1, v_at, p_topic_ids[i], p_partitions[i], n.key, n.value, n.headers::json, n.event_type
      from unnest(
        p_keys[v_from : v_from + p_counts[i] - 1],
        p_values[v_from : v_from + p_counts[i] - 1],
        p_headers[v_from : v_from + p_counts[i] - 1],
        p_event_types[v_from : v_from + p_counts[i] - 1]
      ) with ordinality as n (key, value, headers, event_type, number);
    end if;
    v_from := v_from + p_counts[i];
    v_ends := v_ends || (v_next + p_counts[i]);
  end loop;
  return v_ends;
end
$body$;
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

const retention = (schema: string) => `
-- The first offset of a partition whose record was appended at or after a time, its end where there is none. Times do not go
-- backwards within a partition, so that a binary search over offsets finds it; offsets may have holes.
create function ${schema}.offset_at(p_topic_id int, p_partition int, p_time timestamptz) returns bigint
language plpgsql stable set enable_seqscan = off set enable_bitmapscan = off as $body$
declare
  v_low bigint;
  v_high bigint;
  v_middle bigint;
  v_offset bigint;
  v_at timestamptz;
  v_found bigint;
begin
  select b.begin_offset into v_low
  from ${schema}.partition_begins b where b.topic_id = p_topic_id and b.partition = p_partition;
  v_low := coalesce(v_low, 0);
  select r."offset" + 1 into v_high
  from ${schema}.log_records r where r.topic_id = p_topic_id and r.partition = p_partition
  order by r."offset" desc limit 1;
  v_high := coalesce(v_high, v_low);
  v_found := v_high;
  -- all before v_low is too early, v_found is the first from v_high on that is not
  while v_low < v_high loop
    v_middle := v_low + (v_high - v_low) / 2;
    select r."offset", r.recorded_at into v_offset, v_at
    from ${schema}.log_records r
    where r.topic_id = p_topic_id and r.partition = p_partition and r."offset" >= v_middle
    order by r."offset" limit 1;
    if v_at >= p_time then
      v_found := v_offset;
      v_high := v_middle;
    else
      v_low := v_offset + 1;
    end if;
  end loop;
  return v_found;
end
$body$;

create function ${schema}.record_bytes(p_record ${schema}.log_records) returns bigint
language sql stable
return 64 + coalesce(octet_length((p_record).value), 0) + coalesce(octet_length((p_record).key), 0) + octet_length((p_record).headers::text);

-- Removes at most p_limit of the oldest records: those before p_cutoff, and others until the partition has lost p_lose_bytes in
-- all its life: a total, so that two processes that have measured the same excess do not remove it twice.
-- Where the partition begins and the heads of emptied streams are kept in the same transaction.
create function ${schema}.remove_oldest(
  p_topic_id int, p_partition int, p_cutoff timestamptz, p_lose_bytes bigint, p_limit int
) returns int
language plpgsql volatile set enable_seqscan = off set enable_bitmapscan = off as $body$
declare
  v_begin bigint;
  v_lost bigint;
  v_bytes bigint;
  v_count int;
begin
  insert into ${schema}.partition_begins (topic_id, partition, begin_offset)
  values (p_topic_id, p_partition, 0)
  on conflict (topic_id, partition) do nothing;
  select b.begin_offset, b.removed_bytes into v_begin, v_lost
  from ${schema}.partition_begins b
  where b.topic_id = p_topic_id and b.partition = p_partition
  for update;

  select max(o."offset") + 1, sum(o.bytes), count(*) into v_begin, v_bytes, v_count
  from (
    select r."offset", r.recorded_at, ${schema}.record_bytes(r) as bytes,
           sum(${schema}.record_bytes(r)) over (order by r."offset") as removed
    from (
      select * from ${schema}.log_records l
      where l.topic_id = p_topic_id and l.partition = p_partition and l."offset" >= v_begin
      order by l."offset" limit p_limit
    ) r
  ) o
  where o.recorded_at < p_cutoff or v_lost + o.removed <= p_lose_bytes;
  if v_count = 0 then
    return 0;
  end if;

  with removed as (
    delete from ${schema}.log_records r
    where r.topic_id = p_topic_id and r.partition = p_partition and r."offset" < v_begin
    returning r.stream, r.version
  )
  insert into ${schema}.stream_heads as h (stream, version)
  select d.stream, max(d.version) from removed d
  where d.stream is not null
  group by d.stream
  having not exists (select 1 from ${schema}.log_records l where l.stream = d.stream and l.version > max(d.version))
  on conflict (stream) do update set version = greatest(h.version, excluded.version);

  update ${schema}.partition_begins b
  set begin_offset = v_begin, removed_bytes = b.removed_bytes + v_bytes
  where b.topic_id = p_topic_id and b.partition = p_partition;
  return v_count;
end
$body$;
`;

function literal(quotedSchema: string): string {
  return `'${quotedSchema.replaceAll("'", "''")}'`;
}
