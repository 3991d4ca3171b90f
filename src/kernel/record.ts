import { MOST_BYTES_PER_UNIT } from './bounded-text.js';
import type { Offset, TopicName } from './names.js';
import { plain } from './plain.js';

/** Header names are text, values are text: what CloudEvents' Kafka binding needs. */
export type RecordHeaders = Readonly<Record<string, string>>;

/** A record that is to be appended. */
export interface NewRecord {
  readonly topic: TopicName;
  /** Given by the caller through the partitioner, so that a retry cannot choose another one. */
  readonly partition: number;
  readonly key: string | null;
  /** Null is a tombstone. */
  readonly value: Uint8Array | null;
  readonly headers: RecordHeaders;
}

/** What the log stores. */
export interface LogRecord extends NewRecord {
  readonly offset: Offset;
  /** When it was appended: microseconds since 1970 in UTC. */
  readonly timestampUs: number;
}

/** A record of the log; plain, see {@link plain}. */
export const StoredRecord = plain<
  LogRecord,
  [
    topic: TopicName,
    partition: number,
    offset: Offset,
    timestampUs: number,
    key: string | null,
    value: Uint8Array | null,
    headers: RecordHeaders,
  ]
>(function (topic, partition, offset, timestampUs, key, value, headers) {
  this.topic = topic;
  this.partition = partition;
  this.offset = offset;
  this.timestampUs = timestampUs;
  this.key = key;
  this.value = value;
  this.headers = headers;
});

/** Header of a relayed record: its log offset, which is that of its row in the outbox. */
export const LOG_OFFSET_HEADER = 'kappa-offset';

const PER_RECORD_BYTES = 64;

/**
 * The size of a record as limits count it: key, value and headers in bytes, and a fixed overhead. The header that the relay adds
 * is part of that overhead: a record that was let in by the limit must not be refused by it later.
 */
export function recordBytes(record: Pick<NewRecord, 'key' | 'value' | 'headers'>): number {
  let bytes = PER_RECORD_BYTES + (record.value?.byteLength ?? 0) + (record.key === null ? 0 : Buffer.byteLength(record.key));
  for (const name in record.headers) {
    if (name !== LOG_OFFSET_HEADER) bytes += Buffer.byteLength(name) + Buffer.byteLength(record.headers[name] ?? '') + 2;
  }
  return bytes;
}

/** No less than {@link recordBytes}, and told without looking at each text: enough where a record is far from a limit. */
export function recordBytesAtMost({ key, value, headers }: Pick<NewRecord, 'key' | 'value' | 'headers'>): number {
  let units = key?.length ?? 0;
  let count = 0;
  for (const name in headers) {
    units += name.length + (headers[name]?.length ?? 0);
    count += 1;
  }
  return PER_RECORD_BYTES + (value?.byteLength ?? 0) + units * MOST_BYTES_PER_UNIT + count * 2;
}
