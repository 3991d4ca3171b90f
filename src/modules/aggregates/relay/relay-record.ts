import { topicName, type Offset } from '../../../kernel/names.js';
import { partitionKey, type PartitionKey } from '../../../kernel/position.js';
import { LOG_OFFSET_HEADER, type LogRecord, type NewRecord, type RecordHeaders } from '../../../kernel/record.js';
import type { TopicSpec } from '../../../log/event-log.js';

/**
 * Where the relay notes how far it is: one record a partition, the newest of each key counts. The end of the topic tells it exactly;
 * the note tells what the topic must not end before, and whose rows it holds.
 */
export const RELAY_TOPIC = topicName('kappa.relay');

/** The consumer group that shares the partitions of the outbox among all processes that relay. */
export const RELAY_GROUP = 'relay';

/** One partition: what counts is read whole, and few keys make few records. */
export const relayTopicSpec: TopicSpec = { name: RELAY_TOPIC, partitions: 1, retention: null, compaction: true };

const OUTBOX_HEADER = 'kappa-outbox';
const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** A row of the outbox as the record that is relayed: the same, and where it stands in the outbox. */
export function relayedRecord(row: LogRecord): NewRecord {
  return {
    topic: row.topic,
    partition: row.partition,
    key: row.key,
    value: row.value,
    headers: withOffset(row),
  };
}

/** Spread, and a field more, would make a hidden class for each record: four times as slow, and it lives until a sweep. */
function withOffset({ headers, offset }: LogRecord): RecordHeaders {
  const relayed: Record<string, string> = Object.assign({}, headers);
  relayed[LOG_OFFSET_HEADER] = String(offset);
  return relayed;
}

/** How far a partition has been relayed at least, and out of which outbox. */
export interface RelayPosition {
  readonly key: PartitionKey;
  /** The next log offset. */
  readonly next: Offset;
  /** The identity of the outbox. */
  readonly outbox: string;
}

export function positionRecord(position: RelayPosition): NewRecord {
  return {
    topic: RELAY_TOPIC,
    partition: 0,
    key: position.key,
    value: encoder.encode(String(position.next)),
    headers: { [OUTBOX_HEADER]: position.outbox },
  };
}

/** Null for a tombstone, or what is no position: there is none then. */
export function parsePositionRecord({ key, value, headers }: LogRecord): RelayPosition | null {
  const next = value === null ? NaN : Number(decoder.decode(value));
  if (key === null || !Number.isSafeInteger(next) || next < 0) return null;
  return { key: key as PartitionKey, next: next as Offset, outbox: headers[OUTBOX_HEADER] ?? '' };
}

/** The task of a partition's writer. */
export function relayTask(schema: string, topic: string, partition: number): string {
  return `${schema}.relay.${partitionKey(topic, partition).replace('/', '.')}`;
}
