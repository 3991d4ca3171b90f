import type pg from 'pg';

export interface Page {
  readonly partition: number;
  readonly next: number;
  readonly records: readonly PageRecord[];
}

export interface PageRecord {
  readonly key: string;
  /** Only where it was asked for: it costs a third more. */
  readonly occurredAt: string;
  readonly value: string;
}

const PAGE_SIZE = 5_000;

/**
 * The server makes text of the bytes and takes one header out: measured against `bytea`, which arrives as hex, with all headers
 * parsed here, 80,000 records/s against 50,000 to 70,000, and 115,000 without the header.
 */
const page = (withTime: boolean): string => `
select "offset", key, ${withTime ? `headers->>'ce_time' as "occurredAt", ` : ''}convert_from(value, 'UTF8') as value
from log_records where topic_id = $1 and partition = $2 and "offset" >= $3 order by "offset" limit $4`;

/** A topic of the PostgreSQL log, partition after partition, page by page. */
export async function* pagesOf(client: pg.Client, topic: string, withTime: boolean): AsyncGenerator<Page> {
  await client.query('set search_path to kappa');
  const { rows: topics } = await client.query<{ id: number; partitions: number }>(
    'select id, partitions from topics where name = $1',
    [topic],
  );
  const [{ id, partitions } = { id: 0, partitions: 0 }] = topics;
  for (let partition = 0; partition < partitions; partition += 1) {
    for (let next = 0; ;) {
      const { rows } = await client.query<PageRecord & { offset: string }>({
        name: 'page',
        text: page(withTime),
        values: [id, partition, next, PAGE_SIZE],
      });
      const last = rows.at(-1);
      if (!last) break;
      next = Number(last.offset) + 1;
      yield { partition, next, records: rows };
    }
  }
}
