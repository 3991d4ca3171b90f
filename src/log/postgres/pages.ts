import { asRetriable } from '../../database/database-errors.js';
import type { Database } from '../../database/database.js';
import { offset as checkedOffset } from '../../kernel/names.js';
import type { PageWish } from '../page-source.js';
import { assertPartition } from '../record-groups.js';
import { CopiedPage, fillPages } from './copied-page.js';
import { copyRows } from './copy-rows.js';
import type { TopicCatalog } from './topic-catalog.js';

/** One page for each wish, all in one statement and so in one short snapshot. */
export async function fetchPages(
  database: Database,
  topics: TopicCatalog,
  wishes: readonly PageWish[],
): Promise<readonly CopiedPage[]> {
  const resolved = await topics.resolve(wishes.map(({ topic }) => topic));
  const wants = wishes.map((wish, slot) => {
    const topic = resolved.get(wish.topic);
    assertPartition(wish.topic, wish.partition, topic?.partitions ?? 0);
    return want(slot, topic?.id ?? 0, wish);
  });
  try {
    const messages = await copyRows(database, pagesQuery(wants));
    const pages = wishes.map(({ topic, partition }) => new CopiedPage(topic, partition, messages));
    fillPages(pages, messages);
    return pages;
  } catch (error) {
    throw asRetriable(error, 'the read');
  }
}

/** COPY takes no parameters: whole numbers, checked to be such, are the only thing that is written into the statement. */
function want(slot: number, topicId: number, wish: PageWish): string {
  const whole = (value: number) => `${checkedOffset(value)}::bigint`;
  const to = wish.to === null ? 'null::bigint' : whole(wish.to);
  return `(${slot}, ${topicId}, ${wish.partition}, ${whole(wish.from)}, ${whole(wish.maxRecords)}, ${whole(wish.maxBytes)}, ${to})`;
}

/**
 * First a row without a time for each wish: its slot, where the partition begins and, as text, where it ends. Then the records.
 * A record is given while those before it in the page have not filled the wished bytes. Bytes are counted as stored: neither
 * value nor headers are unpacked for it.
 */
const pagesQuery = (wants: readonly string[]) => `
  with want (slot, topic_id, partition, start, most, bytes, stop) as not materialized (
    values ${wants.join(', ')}
  )
  select w.slot,
         coalesce(b.begin_offset, 0) as "offset",
         null::timestamptz as recorded_at,
         coalesce((
           select r."offset" + 1 from log_records r
           where r.topic_id = w.topic_id and r.partition = w.partition
           order by r."offset" desc limit 1
         ), b.begin_offset, 0)::text as key,
         null::bytea as value,
         null::text as headers
  from want w
  left join partition_begins b on b.topic_id = w.topic_id and b.partition = w.partition
  union all
  select w.slot, p."offset", p.recorded_at, p.key, p.value, p.headers::text
  from want w
  cross join lateral (
    select r.*, sum(coalesce(octet_length(r.value), 0) + pg_column_size(r.headers)) over (order by r."offset" rows between unbounded preceding and current row)
                - coalesce(octet_length(r.value), 0) - pg_column_size(r.headers) as before
    from (
      select l."offset", l.recorded_at, l.key, l.value, l.headers
      from log_records l
      where l.topic_id = w.topic_id and l.partition = w.partition
        and l."offset" >= w.start and l."offset" < coalesce(w.stop, 9223372036854775807)
      order by l."offset"
      limit w.most
    ) r
    order by r."offset"
  ) p
  where p.before < w.bytes`;
