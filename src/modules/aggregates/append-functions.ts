import { quoteLiteral } from '../../database/identifiers.js';

/**
 * The append, as functions that our own and the application's connections call: one call is one round trip. Locks come first,
 * in one order everywhere (partitions sorted, then claims sorted); the statements after them take fresh snapshots and see what
 * the former holders committed. Command ids come before heads: a retry must not meet its own event as a conflict.
 *
 * Both answer one text per command, its fields separated by commas:
 * `appended,next offset,microseconds` · `repeated,next offset,microseconds,first version,last version` · `reused` ·
 * `conflict,head` · `taken,number of the claim` · `later` (an earlier command of the group names the same stream or value: send
 * it again).
 *
 * Plans are generic and may not scan: one that was made while the tables were small would read all of them later, and planning
 * anew costs more than the append. Nested loops over a group would be quadratic; JIT would take their penalty for real work.
 */
export const appendFunctions = (schema: string): string => `
-- Commands that claim the same values go one after another, whichever partitions they write to. Buckets bound the number of locks.
create function ${schema}.lock_claims(p_tenants text[], p_names text[], p_values text[]) returns void
language plpgsql volatile as $body$
declare
  v_bucket bigint;
begin
  for v_bucket in
    select distinct pg_catalog.hashtextextended(pg_catalog.concat_ws('/', c.tenant, c.name, c.value), 0) & 255
    from unnest(p_tenants, p_names, p_values) as c (tenant, name, value)
    where c.value is not null
    order by 1
  loop
    perform pg_catalog.pg_advisory_xact_lock(pg_catalog.hashtextextended(${quoteLiteral(schema)} || '/claims/' || v_bucket::text, 7216));
  end loop;
end
$body$;

-- Gives each stream the values it claims and takes from it what it held under the same names before; a null value only takes.
create function ${schema}.hold_claims(p_streams text[], p_tenants text[], p_names text[], p_values text[]) returns void
language plpgsql volatile set plan_cache_mode = force_generic_plan set enable_seqscan = off as $body$
begin
  delete from ${schema}.unique_claims u
  using unnest(p_streams, p_names, p_values) as c (stream, name, value)
  where u.stream = c.stream and u.name = c.name and u.value is distinct from c.value;
  insert into ${schema}.unique_claims (tenant, name, value, stream)
  select c.tenant, c.name, c.value, c.stream
  from unnest(p_streams, p_tenants, p_names, p_values) as c (stream, tenant, name, value)
  where c.value is not null and not exists (
    select from ${schema}.unique_claims u where u.tenant = c.tenant and u.name = c.name and u.value = c.value and u.stream = c.stream
  );
end
$body$;

-- One command, with as few statements as can be: each costs as much as the index look-ups within it. Its claims are numbered from 1.
create function ${schema}.append_command(
  p_topic_id int, p_partition int, p_stream text, p_key text, p_command_id text, p_hash text, p_expected int,
  p_types text[], p_values bytea[], p_headers text[],
  p_claim_tenants text[], p_claim_names text[], p_claim_values text[]
) returns text
language plpgsql volatile set enable_seqscan = off as $body$
declare
  v_events int := pg_catalog.cardinality(p_types);
  v_claims int := pg_catalog.cardinality(p_claim_names);
  v_known text;
  v_hash text;
  v_head int;
  v_taken int;
  v_next bigint;
  v_at timestamptz;
begin
  -- What lock_partitions does for one partition; an assignment runs without the executor.
  if pg_catalog.current_setting('transaction_isolation') = 'read committed' then
    v_known := pg_catalog.pg_advisory_xact_lock(${schema}.partition_lock(p_topic_id, p_partition))::text;
  else
    perform ${schema}.lock_partitions(array[p_topic_id], array[p_partition]);
  end if;
  if v_claims > 0 then
    perform ${schema}.lock_claims(p_claim_tenants, p_claim_names, p_claim_values);
  end if;

  select k.content_hash, k.answer, h.version, t."offset" + 1, greatest(t.recorded_at, pg_catalog.clock_timestamp())
  into v_hash, v_known, v_head, v_next, v_at
  from (select) one
  left join lateral (
    select c.content_hash,
      pg_catalog.concat_ws(',', 'repeated', c.next_offset, ${microseconds('c.recorded_at')}, c.first_version, c.last_version) as answer
    from ${schema}.commands c
    where c.stream = p_stream and c.command_id = p_command_id
    limit 1
  ) k on true
  left join lateral (
    select r.version from ${schema}.log_records r where r.stream = p_stream order by r.version desc limit 1
  ) h on true
  left join lateral (
    select r."offset", r.recorded_at
    from ${schema}.log_records r
    where r.topic_id = p_topic_id and r.partition = p_partition
    order by r."offset" desc
    limit 1
  ) t on true;
  if v_hash is not null then
    return case when v_hash = p_hash then v_known else 'reused' end;
  end if;
  if v_head is null then
    select e.version into v_head from ${schema}.stream_heads e where e.stream = p_stream;
    v_head := coalesce(v_head, 0);
  end if;
  if v_head <> p_expected then
    return 'conflict,' || v_head;
  end if;

  if v_claims > 0 then
    select min(c.number) into v_taken
    from unnest(p_claim_tenants, p_claim_names, p_claim_values) with ordinality as c (tenant, name, value, number)
    join ${schema}.unique_claims u on u.tenant = c.tenant and u.name = c.name and u.value = c.value
    where u.stream <> p_stream;
    if v_taken is not null then
      return 'taken,' || v_taken;
    end if;
    perform ${schema}.hold_claims(pg_catalog.array_fill(p_stream, array[v_claims]), p_claim_tenants, p_claim_names, p_claim_values);
  end if;

  if v_next is null then
    -- Empty, but perhaps not from its beginning: retention may have removed all.
    select t.next_offset, t.recorded_at into v_next, v_at from ${schema}.partition_tail(p_topic_id, p_partition) t;
  end if;
  if v_events = 1 then
    insert into ${schema}.log_records ("offset", recorded_at, topic_id, partition, version, key, value, headers, event_type, stream)
    values (v_next, v_at, p_topic_id, p_partition, v_head + 1, p_key, p_values[1], p_headers[1]::json, p_types[1], p_stream);
  elsif v_events > 1 then
    insert into ${schema}.log_records ("offset", recorded_at, topic_id, partition, version, key, value, headers, event_type, stream)
    select v_next + e.number - 1, v_at, p_topic_id, p_partition, v_head + e.number, p_key, e.value, e.headers::json, e.type, p_stream
    from unnest(p_types, p_values, p_headers) with ordinality as e (type, value, headers, number);
  end if;
  insert into ${schema}.commands (stream, command_id, content_hash, first_version, last_version, next_offset, recorded_at)
  values (p_stream, p_command_id, p_hash, v_head + 1, v_head + v_events, v_next + v_events, v_at);
  return pg_catalog.concat_ws(',', 'appended', v_next + v_events, ${microseconds('v_at')});
end
$body$;

-- A group of commands: p_event_commands and p_claim_commands name the command, from 1, that an event or claim belongs to,
-- p_event_places the event's place in it, from 1;
-- claims are numbered over the whole group. With p_lock_timeout_ms the wait for locks is shorter than the session's. Losers are dropped before survivors are numbered, so that offsets have no holes.
create function ${schema}.append_commands(
  p_topic_ids int[], p_partitions int[], p_streams text[], p_keys text[], p_command_ids text[], p_hashes text[], p_expected int[], p_counts int[],
  p_event_commands int[], p_event_places int[], p_types text[], p_values bytea[], p_headers text[],
  p_claim_commands int[], p_claim_tenants text[], p_claim_names text[], p_claim_values text[],
  p_lock_timeout_ms int
) returns text[]
language plpgsql volatile
set plan_cache_mode = force_generic_plan set enable_seqscan = off set enable_bitmapscan = off set enable_nestloop = off set jit = off as $body$
declare
  v_claims int := pg_catalog.cardinality(p_claim_commands);
  v_taken int[] := pg_catalog.array_fill(null::int, array[pg_catalog.cardinality(p_streams)]);
  v_later boolean[] := pg_catalog.array_fill(false, array[pg_catalog.cardinality(p_streams)]);
  v_claim record;
  v_won int[];
  v_outcomes text[];
begin
  if p_lock_timeout_ms is not null then
    perform pg_catalog.set_config('lock_timeout', p_lock_timeout_ms::text, true);
  end if;
  perform ${schema}.lock_partitions(p_topic_ids, p_partitions);
  if v_claims > 0 then
    perform ${schema}.lock_claims(p_claim_tenants, p_claim_names, p_claim_values);
    for v_claim in
      select c.command, c.number, c.command > min(c.command) over (partition by c.tenant, c.name, c.value) as later,
        exists (
          select from ${schema}.unique_claims u
          where u.tenant = c.tenant and u.name = c.name and u.value = c.value and u.stream <> p_streams[c.command]
        ) as taken
      from unnest(p_claim_commands, p_claim_tenants, p_claim_names, p_claim_values) with ordinality as c (command, tenant, name, value, number)
      where c.value is not null
    loop
      if v_claim.taken then v_taken[v_claim.command] := least(v_taken[v_claim.command], v_claim.number); end if;
      if v_claim.later then v_later[v_claim.command] := true; end if;
    end loop;
  end if;

  with judged as materialized (
    select o.number, o.topic_id, o.partition, o.stream, o.key, o.command_id, o.hash, o.expected, o.events, o.head, o.taken,
      (o.known).next_offset as known_offset, (o.known).recorded_at as known_at,
      (o.known).first_version as known_first, (o.known).last_version as known_last,
      case when (o.known).stream is not null or coalesce(bool_and(o.outcome = 'appended') over earlier, true) then o.outcome else 'later' end as outcome
    from (
      select l.*,
        case
          when v_later[l.number] or l.twins > 1 or l.claims and count(*) over earlier > 0 then 'later'
          when (l.known).stream is null then
            case
              when l.head + coalesce(sum(l.events) over earlier, 0) <> l.expected then 'conflict'
              when l.taken is not null then 'taken'
              else 'appended'
            end
          when (l.known).content_hash <> l.hash then 'reused'
          else 'repeated'
        end as outcome
      from (
        select g.*, row_number() over (partition by g.stream, g.command_id order by g.number) as twins,
          (select k from ${schema}.commands k where k.stream = g.stream and k.command_id = g.command_id) as known,
          coalesce(
            (select r.version from ${schema}.log_records r where r.stream = g.stream order by r.version desc limit 1),
            (select h.version from ${schema}.stream_heads h where h.stream = g.stream),
            0) as head
        from (
          select i as number, p_topic_ids[i] as topic_id, p_partitions[i] as partition, p_streams[i] as stream, p_keys[i] as key,
            p_command_ids[i] as command_id, p_hashes[i] as hash, p_expected[i] as expected, p_counts[i] as events, v_taken[i] as taken,
            i = any (p_claim_commands) as claims
          from pg_catalog.generate_series(1, pg_catalog.cardinality(p_streams)) as i
        ) g
        offset 0
      ) l
      window earlier as (partition by l.stream order by l.number rows between unbounded preceding and 1 preceding)
    ) o
    window earlier as (partition by o.stream order by o.number rows between unbounded preceding and 1 preceding)
  ), tails as materialized (
    select p.topic_id, p.partition, t.next_offset, t.recorded_at, ${microseconds('t.recorded_at')} as recorded_us
    from (select distinct j.topic_id, j.partition from judged j where j.outcome = 'appended') p,
      ${schema}.partition_tail(p.topic_id, p.partition) t
  ), won as materialized (
    select j.number, j.topic_id, j.partition, j.stream, j.key, j.command_id, j.hash, j.expected, j.events,
      t.recorded_at, t.recorded_us,
      t.next_offset + (sum(j.events) over (partition by j.topic_id, j.partition order by j.number))::bigint as next_offset
    from judged j
    join tails t on t.topic_id = j.topic_id and t.partition = j.partition
    where j.outcome = 'appended'
  ), recorded as (
    insert into ${schema}.log_records ("offset", recorded_at, topic_id, partition, version, key, value, headers, event_type, stream)
    select w.next_offset - w.events + p_event_places[e] - 1, w.recorded_at, w.topic_id, w.partition, w.expected + p_event_places[e],
      w.key, p_values[e], p_headers[e]::json, p_types[e], w.stream
    from pg_catalog.generate_series(1, pg_catalog.cardinality(p_types)) as e
    join won w on w.number = p_event_commands[e]
  ), remembered as (
    insert into ${schema}.commands (stream, command_id, content_hash, first_version, last_version, next_offset, recorded_at)
    select w.stream, w.command_id, w.hash, w.expected + 1, w.expected + w.events, w.next_offset, w.recorded_at from won w
  ), answered as (
    select w.number, 'appended,' || w.next_offset || ',' || w.recorded_us as answer, true as won from won w
    union all
    select j.number,
      case j.outcome
        when 'repeated' then pg_catalog.concat_ws(',', j.outcome, j.known_offset, ${microseconds('j.known_at')}, j.known_first, j.known_last)
        when 'conflict' then 'conflict,' || j.head
        when 'taken' then 'taken,' || j.taken
        else j.outcome
      end,
      false
    from judged j
    where j.outcome <> 'appended'
  )
  select array_agg(a.answer order by a.number), array_agg(a.number) filter (where a.won)
  into v_outcomes, v_won
  from answered a;

  if v_claims > 0 then
    perform ${schema}.hold_claims(array_agg(p_streams[c.command]), array_agg(c.tenant), array_agg(c.name), array_agg(c.value))
    from unnest(p_claim_commands, p_claim_tenants, p_claim_names, p_claim_values) as c (command, tenant, name, value)
    where c.command = any (v_won);
  end if;
  return v_outcomes;
end
$body$;
`;

export function microseconds(time: string): string {
  return `(extract(epoch from ${time}) * 1000000)::bigint`;
}
