import type { Database } from '../database/database.js';
import { topicName, offset, type StreamName } from '../kernel/names.js';
import type { LogRecord } from '../kernel/record.js';
import { recordHeaders } from '../log/postgres/stored-headers.js';

const READ_STREAM = `
  select t.name as topic, r.partition, r."offset", r.key, r.value, r.headers::text as headers, r.version,
         extract(epoch from r.recorded_at) * 1000000 as timestamp_us
  from log_records r
  join topics t on t.id = r.topic_id
  where r.stream = $1 and r.version > $2
  order by r.version
  limit $3`;

interface Row {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  readonly key: string | null;
  readonly value: Buffer | null;
  readonly headers: string;
  readonly version: number;
  readonly timestamp_us: string;
}

/** The records of one stream by version. Aggregates append to PostgreSQL whichever driver carries the log. */
export async function readStreamRecords(
  database: Database,
  stream: StreamName,
  afterVersion: number,
  limit: number,
): Promise<readonly LogRecord[]> {
  const { rows } = await database.query<Row>(READ_STREAM, [stream, afterVersion, limit]);
  return rows.map((row) => ({
    topic: topicName(row.topic),
    partition: row.partition,
    offset: offset(row.offset),
    key: row.key,
    value: row.value,
    headers: recordHeaders(row.headers, row.key, row.version),
    timestampUs: Number(row.timestamp_us),
  }));
}

const ANY_STREAM = 'select 1 from log_records where stream >= $1 and stream < $1 || chr(1114111) limit 1';

/** Whether the aggregate has any stream: tells a mistyped id from a mistyped aggregate. `prefix` is `tenant/aggregate/`. */
export async function hasStreams(database: Database, prefix: string): Promise<boolean> {
  const { rowCount } = await database.query(ANY_STREAM, [prefix]);
  return rowCount > 0;
}
