import { asRetriable } from '../../database/database-errors.js';
import type { Database, Queryable } from '../../database/database.js';
import { bigintArray, intArray } from '../../database/binary-arrays.js';
import type { Offset, TopicName } from '../../kernel/names.js';
import { parsePartitionKey, partitionKey, type PartitionKey, type Position } from '../../kernel/position.js';
import type { PartitionOffsets } from '../event-log.js';
import type { Probed } from '../wake.js';
import type { StoredTopic, TopicCatalog } from './topic-catalog.js';

/** One look-up in the index for each partition; the begin is written by retention alone. */
const OFFSETS = `
  select n as partition,
         coalesce(b.begin_offset, 0) as begin,
         coalesce((
           select r."offset" + 1 from log_records r
           where r.topic_id = $1 and r.partition = n
           order by r."offset" desc limit 1
         ), b.begin_offset, 0) as end
  from generate_series(0, $2::int - 1) n
  left join partition_begins b on b.topic_id = $1 and b.partition = n
  order by n`;

const OFFSETS_AT = `
  select offset_at($1, n, to_timestamp($3::float8 / 1000)) as at
  from generate_series(0, $2::int - 1) n
  order by n`;

/** Only partitions that have grown answer: while nothing comes, nothing is sent or parsed. */
const GROWN = `
  select w.slot, r."offset" + 1 as end
  from unnest($1::int[], $2::int[], $3::bigint[]) with ordinality as w (topic_id, partition, after, slot)
  cross join lateral (
    select l."offset" from log_records l
    where l.topic_id = w.topic_id and l.partition = w.partition and l."offset" >= w.after
    order by l."offset" desc limit 1
  ) r`;

/**
 * A row more, of slot 0, where the database has other clients than those of this process. What counts cheaply counts a vacuum, too:
 * only where there are more is it asked who they are.
 */
const GROWN_AND_OTHERS = `${GROWN}
  union all
  select 0, d.n from pg_stat_get_db_numbackends((select oid from pg_database where datname = current_database())) as d (n)
  where d.n > $4 and $4 < (
    select count(*) from pg_stat_activity
    where datname = current_database() and coalesce(backend_type, 'client backend') = 'client backend'
  )`;

const COMMITTED = `
  select t.name, o.partition, o.next_offset as next
  from group_offsets o join topics t on t.id = o.topic_id
  where o.group_name = $1`;

export async function readOffsets(database: Queryable, topic: StoredTopic): Promise<readonly PartitionOffsets[]> {
  const { rows } = await retriable(
    database.query<{ partition: number; begin: Offset; end: Offset }>({
      name: 'kappa_offsets',
      text: OFFSETS,
      values: [topic.id, topic.partitions],
    }),
  );
  return rows;
}

export async function readOffsetsAt(database: Queryable, topic: StoredTopic, timestampMs: number): Promise<readonly Offset[]> {
  const { rows } = await retriable(database.query<{ at: Offset }>(OFFSETS_AT, [topic.id, topic.partitions, timestampMs]));
  return rows.map(({ at }) => at);
}

/** The ends of those partitions, of any topics, that end beyond `after`, in one query; `asksForOthers`: whether we are alone, too. */
export async function readGrown(
  database: Pick<Database, 'texts' | 'connections'>,
  topics: TopicCatalog,
  after: Position,
  asksForOthers: boolean,
): Promise<Probed> {
  const keys = Object.keys(after) as PartitionKey[];
  const wanted = keys.map(parsePartitionKey);
  const resolved = await topics.resolve(wanted.map(({ topic }) => topic as TopicName));
  const values = [
    intArray(wanted.map(({ topic }) => resolved.get(topic as TopicName)?.id ?? 0)),
    intArray(wanted.map(({ partition }) => partition)),
    bigintArray(keys.map((key) => after[key] ?? 0)),
  ];
  const rows = await database.texts(
    asksForOthers
      ? { name: 'kappa_grown_and_others', text: GROWN_AND_OTHERS, values: [...values, String(database.connections)] }
      : { name: 'kappa_grown', text: GROWN, values },
  );
  const ends: Record<PartitionKey, number> = {};
  let alone = asksForOthers;
  for (const [slot, end] of rows) {
    const key = keys[Number(slot) - 1];
    if (key === undefined) alone = false;
    else ends[key] = Number(end);
  }
  return { ends, alone };
}

export async function readCommitted(database: Queryable, group: string): Promise<Position> {
  const { rows } = await retriable(database.query<{ name: string; partition: number; next: number }>(COMMITTED, [group]));
  return Object.fromEntries(rows.map(({ name, partition, next }) => [partitionKey(name, partition), next]));
}

async function retriable<T>(query: Promise<T>): Promise<T> {
  try {
    return await query;
  } catch (error) {
    throw asRetriable(error, 'the look at the log');
  }
}
