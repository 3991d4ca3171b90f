import { microseconds } from './append-functions.js';

/**
 * The append of a group whose commands do not stand in each other's way, as the caller has seen to: no value is claimed, no id
 * comes twice, and what it appends to a stream follows one upon the other. All then take effect or, where one may not, each is
 * judged for itself by `append_commands`, in the same call. What there is to decide and to number was most of that function's
 * time: half of what a command takes here.
 *
 * Answers `all` and, for each partition, its former end and when it is recorded: `all;next offset,microseconds;…`, else what
 * `append_commands` does, separated by semicolons.
 *
 * p_topic_ids and p_partitions name each partition once. Of a command: p_lines, the number of its partition there, from 1; p_before,
 * how many events of the group go before it into that partition; p_heads, where its stream must be, null where a command before it
 * brings it there. Of an event: p_event_commands, its command, from 1, and p_event_places, its place in that, from 1.
 */
export const appendGroupFunction = (schema: string): string => `
create function ${schema}.append_group(
  p_topic_ids int[], p_partitions int[],
  p_lines int[], p_before int[], p_heads int[],
  p_streams text[], p_keys text[], p_command_ids text[], p_hashes text[], p_expected int[], p_counts int[],
  p_event_commands int[], p_event_places int[], p_types text[], p_values bytea[], p_headers text[],
  p_lock_timeout_ms int
) returns text
language plpgsql volatile
set plan_cache_mode = force_generic_plan set enable_seqscan = off set enable_bitmapscan = off set jit = off as $body$
declare
  v_next bigint[];
  v_at timestamptz[];
begin
  if p_lock_timeout_ms is not null then
    perform pg_catalog.set_config('lock_timeout', p_lock_timeout_ms::text, true);
  end if;
  perform ${schema}.lock_partitions(p_topic_ids, p_partitions);

  if exists (
    select
    from pg_catalog.generate_series(1, pg_catalog.cardinality(p_streams)) as i
    -- Not "exists": that is planned as a hash over the whole table.
    where (select true from ${schema}.commands k where k.stream = p_streams[i] and k.command_id = p_command_ids[i])
      or p_heads[i] <> coalesce(
        (select r.version from ${schema}.log_records r where r.stream = p_streams[i] order by r.version desc limit 1),
        (select h.version from ${schema}.stream_heads h where h.stream = p_streams[i]),
        0)
  ) then
    return pg_catalog.array_to_string(${schema}.append_commands(
      array(select p_topic_ids[w.line] from unnest(p_lines) with ordinality as w (line, number) order by w.number),
      array(select p_partitions[w.line] from unnest(p_lines) with ordinality as w (line, number) order by w.number),
      p_streams, p_keys, p_command_ids, p_hashes, p_expected, p_counts,
      p_event_commands, p_event_places, p_types, p_values, p_headers, '{}', '{}', '{}', '{}', null), ';');
  end if;

  select array_agg(t.next_offset order by w.number), array_agg(t.recorded_at order by w.number)
  into v_next, v_at
  from unnest(p_topic_ids, p_partitions) with ordinality as w (topic_id, partition, number)
  left join lateral (
    select r."offset" + 1 as next_offset, greatest(r.recorded_at, pg_catalog.clock_timestamp()) as recorded_at
    from ${schema}.log_records r
    where r.topic_id = w.topic_id and r.partition = w.partition
    order by r."offset" desc
    limit 1
  ) t on true;
  if pg_catalog.array_position(v_next, null) is not null then
    -- Empty, but perhaps not from its beginning: retention may have removed all.
    select array_agg(t.next_offset order by w.number), array_agg(t.recorded_at order by w.number)
    into v_next, v_at
    from unnest(p_topic_ids, p_partitions) with ordinality as w (topic_id, partition, number),
      ${schema}.partition_tail(w.topic_id, w.partition) t;
  end if;

  insert into ${schema}.log_records ("offset", recorded_at, topic_id, partition, version, key, value, headers, event_type, stream)
  select v_next[w.line] + w.before + e.place - 1, v_at[w.line], p_topic_ids[w.line], p_partitions[w.line], w.expected + e.place,
    p_keys[e.command], p_values[e.number::int], p_headers[e.number::int]::json, p_types[e.number::int], p_streams[e.command]
  from unnest(p_event_commands, p_event_places) with ordinality as e (command, place, number),
    lateral (select p_lines[e.command] as line, p_before[e.command] as before, p_expected[e.command] as expected offset 0) w;

  insert into ${schema}.commands (stream, command_id, content_hash, first_version, last_version, next_offset, recorded_at)
  select p_streams[w.number::int], p_command_ids[w.number::int], p_hashes[w.number::int], w.expected + 1, w.expected + w.events,
    v_next[w.line] + w.before + w.events, v_at[w.line]
  from unnest(p_lines, p_before, p_expected, p_counts) with ordinality as w (line, before, expected, events, number);

  return 'all;' || (
    select string_agg(pg_catalog.concat(w.next_offset, ',', ${microseconds('w.recorded_at')}), ';' order by w.number)
    from unnest(v_next, v_at) with ordinality as w (next_offset, recorded_at, number)
  );
end
$body$;
`;
