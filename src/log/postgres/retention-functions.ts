/** What is looked up by time, and what is removed. Sequential scans are off for the reason that `append-functions.ts` gives. */
export const retentionFunctions = (schema: string): string => `
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
