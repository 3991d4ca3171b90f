import { intArray, textArray } from '../../database/binary-arrays.js';
import type { Statement } from '../../database/database.js';
import { quoteIdentifier } from '../../database/identifiers.js';
import type { Offset, TopicName } from '../../kernel/names.js';
import type { LogRecord } from '../../kernel/record.js';
import { recordHeaders } from '../../log/postgres/stored-headers.js';

/** What is wanted of a stream: its events after a version, and perhaps a snapshot or an earlier command. */
export class PageWish {
  constructor(
    readonly stream: string,
    readonly after: number,
    /** Null: no snapshot is of use. */
    readonly fingerprint: string | null,
    readonly commandId: string | null,
  ) {}
}

/** An event as the statements give it; `int8` is a number or, on the application's own connections, a text. */
export interface RecordRow {
  readonly version: number;
  readonly offset: number | string;
  readonly recorded_us: number | string;
  readonly partition: number;
  readonly key: string | null;
  readonly value: Buffer | null;
  readonly headers: string;
}

/** See `load_streams`. The fields of a record are null where there is none. */
export interface LoadRow extends Nullable<RecordRow> {
  readonly number: number;
  readonly head: number;
  readonly snapshot_version: number | null;
  readonly snapshot_state: string | null;
  readonly command: string | null;
}

type Nullable<T> = { readonly [K in keyof T]: T[K] | null };

export interface PageBounds {
  readonly records: number;
  readonly bytes: number;
}

export class StreamStatements {
  readonly #load: string;
  readonly #command: string;
  readonly #versions: string;

  constructor(schema: string) {
    const own = quoteIdentifier(schema);
    this.#load = `select * from ${own}.load_streams($1, $2, $3, $4, $5, $6)`;
    this.#command = `
      select concat_ws(',', k.content_hash, k.next_offset, (extract(epoch from k.recorded_at) * 1000000)::bigint, k.first_version, k.last_version) as command
      from ${own}.commands k where k.stream = $1 and k.command_id = $2`;
    this.#versions = `
      select r.version, r."offset", (extract(epoch from r.recorded_at) * 1000000)::bigint as recorded_us, r.partition, r.key, r.value, r.headers::text as headers
      from ${own}.log_records r where r.stream = $1 and r.version between $2 and $3 order by r.version`;
  }

  /** Gives {@link LoadRow}s. */
  load(wishes: readonly PageWish[], { records, bytes }: PageBounds): Statement {
    const values = [
      textArray(wishes.map(({ stream }) => stream)),
      textArray(wishes.map(({ fingerprint }) => fingerprint)),
      textArray(wishes.map(({ commandId }) => commandId)),
      intArray(wishes.map(({ after }) => after)),
      records,
      bytes,
    ];
    return { name: 'kappa load streams', text: this.#load, values };
  }

  /** Gives `command`: what a command's id did before. */
  command(stream: string, commandId: string): Statement {
    return { name: 'kappa find command', text: this.#command, values: [stream, commandId] };
  }

  /** Gives {@link RecordRow}s. */
  versions(stream: string, first: number, last: number): Statement {
    return { name: 'kappa read versions', text: this.#versions, values: [stream, first, last] };
  }
}

export function isRecord(row: LoadRow): row is LoadRow & RecordRow {
  return row.version !== null;
}

export function toLogRecord(topic: TopicName, row: RecordRow): LogRecord {
  return {
    topic,
    partition: row.partition,
    offset: Number(row.offset) as Offset,
    key: row.key,
    value: row.value,
    headers: recordHeaders(row.headers, row.key, row.version),
    timestampUs: Number(row.recorded_us),
  };
}
