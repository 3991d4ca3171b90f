import { quoteIdentifier } from '../../database/identifiers.js';
import type { Offset, TopicName } from '../../kernel/names.js';
import type { LogRecord, RecordHeaders } from '../../kernel/record.js';

/** A page of a stream's records: at most this many, and no more once they make up so many bytes. */
export const PAGE_RECORDS = 1_000;
export const PAGE_BYTES = 4 * 1024 * 1024;

/** A record as the statements below give it. */
export interface RecordRow {
  readonly version: number;
  readonly offset: number | string;
  readonly recorded_us: number | string;
  readonly partition: number;
  readonly key: string | null;
  readonly value: Buffer | null;
  readonly headers: string;
}

export interface LoadRow extends Partial<RecordRow> {
  readonly head: number;
  readonly snapshot_version: number | null;
  /** Only in the first row. */
  readonly snapshot_state: string | null;
  readonly command: string | null;
}

const COMMAND = `concat_ws(',', k.content_hash, k.next_offset, (extract(epoch from k.recorded_at) * 1000000)::bigint, k.first_version, k.last_version)`;
const RECORD = `r.version, r."offset", (extract(epoch from r.recorded_at) * 1000000)::bigint as recorded_us, r.partition, r.key, r.value, r.headers::text as headers`;

/**
 * Snapshot, head, events and an earlier command of the same id, in one statement and so in one snapshot: what was probed in one
 * statement and read in another would not belong together.
 * $1 stream, $2 fingerprint (null: no snapshot), $3 command id (null: none), $4 after this version at least.
 */
export const loadStream = (schema: string): string => {
  const own = quoteIdentifier(schema);
  return `
  with snapshot as materialized (
    select s.version, s.state::text as state from ${own}.snapshots s where s.stream = $1 and s.fingerprint = $2 and s.version > $4
  ), command as materialized (
    select ${COMMAND} as answer
    from ${own}.commands k where k.stream = $1 and k.command_id = $3
  ), page as materialized (
    select p.*, sum(coalesce(octet_length(p.value), 0)) over (order by p.version) as bytes
    from (
      select l.* from ${own}.log_records l
      where l.stream = $1 and l.version > greatest($4, (select version from snapshot))
      order by l.version limit ${PAGE_RECORDS}
    ) p
  )
  select
    coalesce(
      (select h.version from ${own}.log_records h where h.stream = $1 order by h.version desc limit 1),
      (select h.version from ${own}.stream_heads h where h.stream = $1), 0) as head,
    (select version from snapshot) as snapshot_version,
    case when r.version is null or r.version = (select min(version) from page) then (select state from snapshot) end as snapshot_state,
    (select answer from command) as command,
    ${RECORD}
  from (select) one
  left join page r on r.bytes - coalesce(octet_length(r.value), 0) < ${PAGE_BYTES}
  order by r.version`;
};

/** $1 stream, $2 command id. */
export const findCommand = (schema: string): string =>
  `select ${COMMAND} as command from ${quoteIdentifier(schema)}.commands k where k.stream = $1 and k.command_id = $2`;

/** $1 stream, $2 first version, $3 last version. */
export const readVersions = (schema: string): string =>
  `select ${RECORD} from ${quoteIdentifier(schema)}.log_records r where r.stream = $1 and r.version between $2 and $3 order by r.version`;

export function toLogRecord(topic: TopicName, row: RecordRow): LogRecord {
  return {
    topic,
    partition: row.partition,
    offset: Number(row.offset) as Offset,
    key: row.key,
    value: row.value,
    headers: JSON.parse(row.headers) as RecordHeaders,
    timestampUs: Number(row.recorded_us),
  };
}
