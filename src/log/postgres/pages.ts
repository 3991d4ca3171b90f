import { asRetriable } from '../../database/database-errors.js';
import type { Database } from '../../database/database.js';
import { offset as checkedOffset } from '../../kernel/names.js';
import { partitionKey, type PartitionKey } from '../../kernel/position.js';
import type { PageWish } from '../page-source.js';
import { assertPartition } from '../record-groups.js';
import { CopiedPage, fillPages } from './copied-page.js';
import { CopyTooLarge, type CopyBounds } from './copy-out.js';
import type { CopyRooms } from './copy-rooms.js';
import { copyRows } from './copy-rows.js';
import type { TopicCatalog } from './topic-catalog.js';

/** So many times what is wished for may come, where records are suddenly larger than those before them; beyond, it is asked again. */
const EXCESS = 2;
/** How much of what records of a partition have had the next are still taken to have, though the last had less. */
const REMEMBERED = 0.9;

/**
 * Reads pages, those that are asked for together in one statement and so in one short snapshot. Each reader of its own has one: what
 * it has learned of its pages says nothing of those that others read elsewhere in the same topic.
 */
export class PageReader {
  /** What the last took: the next of the same reader will be as much. */
  #lastBytes = 0;
  /** Of a record of each partition, on the average of a page. */
  readonly #recordBytes = new Map<PartitionKey, number>();

  constructor(
    private readonly database: Database,
    private readonly topics: TopicCatalog,
    /** Of a reader whose pages are released, for its next ones. */
    private readonly rooms: CopyRooms | null = null,
  ) {}

  /** One page for each wish. @throws RetriableError, KAPPA_UNKNOWN_PARTITION */
  async read(wishes: readonly PageWish[]): Promise<readonly CopiedPage[]> {
    const resolved = await this.topics.resolve(wishes.map(({ topic }) => topic));
    const wants = wishes.map((wish, slot) => {
      const topic = resolved.get(wish.topic);
      assertPartition(wish.topic, wish.partition, topic?.partitions ?? 0);
      return want(slot, topic?.id ?? 0, wish);
    });
    try {
      const pages = (await this.#byNumber(wishes, wants)) ?? (await this.#byBytes(wishes, wants));
      wishes.forEach((wish, index) => this.#learn(wish, pages[index]));
      return pages;
    } catch (error) {
      throw asRetriable(error, 'the read');
    }
  }

  /** Where as many records as are wished for are likely to stay below the bytes; null where they are not, or did not. */
  async #byNumber(wishes: readonly PageWish[], wants: readonly string[]): Promise<readonly CopiedPage[] | null> {
    const most = sumOf(wishes, ({ maxBytes }) => maxBytes);
    const likely = sumOf(wishes, (wish) => wish.maxRecords * (this.#recordBytes.get(keyOf(wish)) ?? Infinity));
    if (likely > most) return null;
    try {
      return await this.#copy(wishes, pagesQuery(wants, FIRST_RECORDS), { mostBytes: most * EXCESS });
    } catch (error) {
      if (error instanceof CopyTooLarge) return null;
      throw error;
    }
  }

  #learn(wish: PageWish, page: CopiedPage | undefined): void {
    if (!page || page.length === 0) return;
    const former = this.#recordBytes.get(keyOf(wish)) ?? 0;
    this.#recordBytes.set(keyOf(wish), Math.max(page.recordBytes / page.length, former * REMEMBERED));
  }

  #byBytes(wishes: readonly PageWish[], wants: readonly string[]): Promise<readonly CopiedPage[]> {
    const unbound = wishes.map((wish) => ({ ...wish, maxBytes: Infinity }));
    return this.#copy(unbound, pagesQuery(wants, FIRST_BYTES));
  }

  async #copy(wishes: readonly PageWish[], query: string, bounds: CopyBounds = {}): Promise<readonly CopiedPage[]> {
    // With some room, or the next is copied once more for its last bytes.
    const messages = await copyRows(this.database, query, {
      ...bounds,
      expectBytes: Math.ceil(this.#lastBytes * 1.125),
      ...(this.rooms ? { rooms: this.rooms } : {}),
    });
    this.#lastBytes = messages.length;
    let held = wishes.length;
    const left = (): void => {
      held -= 1;
      if (held === 0) this.rooms?.giveBack(messages);
    };
    const pages = wishes.map((wish) => new CopiedPage(wish, messages, left));
    fillPages(pages, messages);
    return pages;
  }
}

function keyOf({ topic, partition }: PageWish): PartitionKey {
  return partitionKey(topic, partition);
}

function sumOf(wishes: readonly PageWish[], amount: (wish: PageWish) => number): number {
  return wishes.reduce((sum, wish) => sum + amount(wish), 0);
}

/** COPY takes no parameters: whole numbers, checked to be such, are the only thing that is written into the statement. */
function want(slot: number, topicId: number, wish: PageWish): string {
  const whole = (value: number) => `${checkedOffset(value)}::bigint`;
  const to = wish.to === null ? 'null::bigint' : whole(wish.to);
  return `(${slot}, ${topicId}, ${wish.partition}, ${whole(wish.from)}, ${whole(wish.maxRecords)}, ${whole(wish.maxBytes)}, ${to})`;
}

/** Those of a wish, as many as it wants. */
const FIRST_RECORDS = `
    select l."offset", l.recorded_at, l.key, l.value, l.headers, l.version
    from log_records l
    where l.topic_id = w.topic_id and l.partition = w.partition
      and l."offset" >= w.start and l."offset" < coalesce(w.stop, 9223372036854775807)
    order by l."offset"
    limit w.most`;

/**
 * Those before which the wished bytes are not filled. Bytes are counted as stored: neither value nor headers are unpacked for it.
 * Every row passes the window's memory, which is a fifth of what a page of small records costs the server.
 */
const FIRST_BYTES = `
    select * from (
      select r.*, sum(coalesce(octet_length(r.value), 0) + pg_column_size(r.headers)) over (order by r."offset" rows between unbounded preceding and current row)
                  - coalesce(octet_length(r.value), 0) - pg_column_size(r.headers) as before
      from (${FIRST_RECORDS}) r
      order by r."offset"
    ) c
    where c.before < w.bytes`;

/**
 * First a row without a time for each wish: its slot, where the partition begins and, as text, where it ends. Then the records.
 */
const pagesQuery = (wants: readonly string[], records: string) => `
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
         null::text as headers,
         null::int as version
  from want w
  left join partition_begins b on b.topic_id = w.topic_id and b.partition = w.partition
  union all
  select w.slot, p."offset", p.recorded_at, p.key, p.value, p.headers::text, p.version
  from want w
  cross join lateral (${records}
  ) p`;
