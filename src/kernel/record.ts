import type { Offset, TopicName } from './names.js';

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

const PER_RECORD_BYTES = 64;

/** The size of a record as limits count it: key, value and headers in bytes, and a fixed overhead. */
export function recordBytes(record: Pick<NewRecord, 'key' | 'value' | 'headers'>): number {
  let bytes = PER_RECORD_BYTES + (record.value?.byteLength ?? 0) + (record.key === null ? 0 : Buffer.byteLength(record.key));
  for (const name in record.headers) bytes += Buffer.byteLength(name) + Buffer.byteLength(record.headers[name] ?? '') + 2;
  return bytes;
}
