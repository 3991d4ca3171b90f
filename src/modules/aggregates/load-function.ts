/**
 * Reads streams, several in one call: snapshot, head, events after the snapshot and an earlier command of the same id, all in
 * one statement and so in one snapshot: what is probed in one statement and read in another does not belong together.
 *
 * One row for each event, at least one for each stream: `number` is the stream's place in the arrays, from 1; the snapshot's
 * state stands in its first row only. A stream's events end after p_records, or when they have filled p_bytes: `head` tells
 * whether there are more. A null fingerprint asks for no snapshot, a null command id for no command.
 *
 * The plan is generic and may not scan, for the reason that the append's is not.
 */
export const loadFunction = (schema: string): string => `
create function ${schema}.load_streams(
  p_streams text[], p_fingerprints text[], p_command_ids text[], p_after int[], p_records int, p_bytes int
) returns table (
  number int, head int, snapshot_version int, snapshot_state text, command text,
  version int, "offset" bigint, recorded_us bigint, partition int, key text, value bytea, headers text
)
language plpgsql volatile
set plan_cache_mode = force_generic_plan set enable_seqscan = off set enable_bitmapscan = off set enable_hashjoin = off
set enable_mergejoin = off set jit = off as $body$
#variable_conflict use_column
begin
  return query
  select w.number::int, h.head, s.version, case when r.place is null or r.place = 1 then s.state end, k.answer,
    r.version, r."offset", (extract(epoch from r.recorded_at) * 1000000)::bigint, r.partition, r.key, r.value, r.headers::text
  from unnest(p_streams, p_fingerprints, p_command_ids, p_after) with ordinality as w (stream, fingerprint, command_id, after, number)
  left join lateral (
    select coalesce(
      (select l.version from ${schema}.log_records l where l.stream = w.stream order by l.version desc limit 1),
      (select e.version from ${schema}.stream_heads e where e.stream = w.stream),
      0) as head
    limit 1
  ) h on true
  left join lateral (
    select n.version, n.state::text as state
    from ${schema}.snapshots n
    where n.stream = w.stream and n.fingerprint = w.fingerprint and n.version > w.after
    limit 1
  ) s on true
  left join lateral (
    select pg_catalog.concat_ws(',', c.content_hash, c.next_offset, (extract(epoch from c.recorded_at) * 1000000)::bigint, c.first_version, c.last_version) as answer
    from ${schema}.commands c
    where c.stream = w.stream and c.command_id = w.command_id
    limit 1
  ) k on true
  left join lateral (
    select p.*, row_number() over (order by p.version) as place,
      sum(octet_length(p.value)) over (order by p.version) - octet_length(p.value) as before
    from (
      select l.version, l."offset", l.recorded_at, l.partition, l.key, l.value, l.headers
      from ${schema}.log_records l
      where l.stream = w.stream and l.version > greatest(w.after, s.version)
      order by l.version
      limit p_records
    ) p
  ) r on r.before < p_bytes
  order by w.number, r.version;
end
$body$;
`;
