import { quoteLiteral } from '../../database/identifiers.js';

/**
 * Order and offsets of a partition are decided under one lock of that partition, held from here to the end of the
 * transaction. Statements of a volatile function take fresh snapshots under READ COMMITTED, so that what is read after the lock
 * is what the former holder committed; there is no counter row, for one hot row dies under a foreign snapshot.
 * Bodies are qualified, because the application's own connections call them too. Sequential scans are off in the look-ups: a
 * plan that was cached while the table was small would read all of it later.
 */
export const appendFunctions = (schema: string): string => `
create function ${schema}.partition_lock(p_topic_id int, p_partition int) returns bigint
language sql immutable parallel safe
return pg_catalog.hashtextextended(${quoteLiteral(schema)} || '/' || p_topic_id::text || '/' || p_partition::text, 7215);

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
