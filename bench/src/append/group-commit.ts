import { randomUUID } from 'node:crypto';
import { peerPool } from './peer-pool.js';
import { createRecords, EVENT_TYPE, PARTITIONS, rowOf, type Row } from './row.js';
import type { AppendSide } from './side.js';

interface Waiting {
  readonly commandId: string;
  readonly rows: readonly Row[];
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/** Commands of a group at most. */
const GROUP = 500;

/**
 * What a good engineer would write by hand: commands that arrive while a partition's group commits form its next one, and a group
 * is one call of a function that locks the partition, looks for the commands' ids, compares the heads of the streams with the
 * expected versions, and inserts events and ids. A group with a known id or another head fails as a whole; ours judges each
 * command by itself.
 */
export async function groupCommit(url: string): Promise<AppendSide> {
  // A connection a partition: a partition's groups come one after another.
  const pool = peerPool(url, PARTITIONS);
  await pool.query(createRecords('bench_group') + FUNCTION);
  const versions = new Map<string, number>();
  const queues = Array.from({ length: PARTITIONS }, () => ({ waiting: [] as Waiting[], busy: false }));

  const flush = async (partition: number): Promise<void> => {
    const queue = queues[partition];
    if (!queue || queue.busy) return;
    queue.busy = true;
    // All that comes in this turn of the event loop is one group.
    await Promise.resolve();
    while (queue.waiting.length > 0) {
      const group = queue.waiting.splice(0, GROUP);
      try {
        await pool.query({ name: 'bench group', text: APPEND, values: valuesOf(partition, group) });
        for (const { resolve } of group) resolve();
      } catch (error) {
        for (const { reject } of group) reject(error);
      }
    }
    queue.busy = false;
  };

  return {
    append: (stream, events) =>
      new Promise<void>((resolve, reject) => {
        const head = versions.get(stream) ?? 0;
        versions.set(stream, head + events.length);
        const rows = events.map((event, index) => rowOf(stream, head + index + 1, event));
        const partition = rows[0]?.partition ?? 0;
        queues[partition]?.waiting.push({ commandId: randomUUID(), rows, resolve, reject });
        void flush(partition);
      }),
    count: async () => Number((await pool.query<{ n: string }>('select count(*) as n from bench_group.records')).rows[0]?.n),
    close: () => pool.end(),
  };
}

function valuesOf(partition: number, group: readonly Waiting[]): unknown[] {
  const rows = group.flatMap((command) => command.rows);
  const firsts = group.flatMap(({ rows: [first] }) => first ?? []);
  return [
    partition,
    firsts.map(({ stream }) => stream),
    group.map(({ commandId }) => commandId),
    firsts.map(({ version }) => version - 1),
    rows.map(({ stream }) => stream),
    rows.map(({ version }) => version),
    rows.map(({ value }) => value),
    rows.map(({ headers }) => headers),
  ];
}

const APPEND = `select bench_group.append($1, $2, $3, $4, $5, $6, $7, $8)`;

const FUNCTION = `
create table bench_group.commands (stream text collate "C" not null, command_id text collate "C" not null, primary key (stream, command_id));
create function bench_group.append(p_partition int, p_streams text[], p_command_ids text[], p_expected int[],
  p_event_streams text[], p_versions int[], p_values bytea[], p_headers text[]) returns bigint
language plpgsql volatile set plan_cache_mode = force_generic_plan set enable_seqscan = off set jit = off as $body$
declare
  v_next bigint;
begin
  perform pg_advisory_xact_lock(7216, p_partition);
  if exists (
    select from unnest(p_streams, p_command_ids) c (stream, id)
    join bench_group.commands k on k.stream = c.stream and k.command_id = c.id
  ) then
    raise exception 'a command of the group is known';
  end if;
  if exists (
    select from (select c.stream, min(c.expected) as expected from unnest(p_streams, p_expected) c (stream, expected) group by 1) c
    where c.expected <> coalesce(
      (select r.version from bench_group.records r where r.stream = c.stream order by r.version desc limit 1), 0)
  ) then
    raise exception 'a stream of the group is elsewhere';
  end if;
  select coalesce(
    (select r."offset" + 1 from bench_group.records r where r.topic_id = 1 and r.partition = p_partition order by r."offset" desc limit 1), 0)
  into v_next;
  insert into bench_group.records ("offset", recorded_at, topic_id, partition, version, key, value, headers, event_type, stream)
  select v_next + e.number - 1, now(), 1, p_partition, e.version, e.stream, e.value, e.headers::json, '${EVENT_TYPE}', e.stream
  from unnest(p_event_streams, p_versions, p_values, p_headers) with ordinality e (stream, version, value, headers, number);
  insert into bench_group.commands select * from unnest(p_streams, p_command_ids);
  return v_next + cardinality(p_versions);
end
$body$;`;
