import type { NewRecord } from '../../../kernel/record.js';
import { recordBytes } from '../../../kernel/record.js';
import { partitionKey, type PartitionKey } from '../../../kernel/position.js';
import type { RecordGroup } from '../../record-groups.js';
import { logOffsetOf, type LogTopic } from '../log-topic.js';
import { encodeBatch } from '../record-batch.js';
import type { ProducerIdentity } from '../wire/api/transactions.js';
import type { PendingBatch } from './produce-batches.js';

export type KafkaGroup = RecordGroup<LogTopic>;

/** Sequence numbers of a producer, by partition: what makes a batch that is sent again the same batch. */
export class Sequences {
  readonly #next = new Map<PartitionKey, number>();

  /** The first of so many; they wrap as the protocol has it. */
  take(key: PartitionKey, count: number): number {
    const first = this.#next.get(key) ?? 0;
    this.#next.set(key, (first + count) % 2 ** 31);
    return first;
  }

  clear(): void {
    this.#next.clear();
  }
}

/** Records in pieces that fit into a batch each: a topic takes at least a record of the largest size. */
export function pieces(records: readonly NewRecord[], maxBytes: number): NewRecord[][] {
  const all: NewRecord[][] = [];
  let room = 0;
  for (const record of records) {
    const bytes = recordBytes(record);
    if (bytes > room) {
      all.push([]);
      room = maxBytes;
    }
    room -= bytes;
    all.at(-1)?.push(record);
  }
  return all;
}

export function pendingBatch(
  topic: LogTopic,
  partition: number,
  records: readonly NewRecord[],
  producer: ProducerIdentity & { readonly sequences: Sequences; readonly transactional: boolean },
): PendingBatch {
  const sequence = producer.sequences.take(partitionKey(topic.name, partition), records.length);
  const { producerId, epoch, transactional } = producer;
  return {
    topic,
    partition,
    bytes: encodeBatch(records, { producerId, epoch, transactional, sequence }, Date.now()),
    baseOffset: null,
    maybeWritten: false,
  };
}

/** What a relayed topic may hold: records that bear their log offset. @throws KAPPA_FOREIGN_RECORD */
export function assertOwn(groups: readonly KafkaGroup[]): void {
  for (const { topic, records } of groups) if (topic.relayed) for (const record of records) logOffsetOf(record, null);
}

/** The log offset after the last of these records, which were written from `baseOffset` on. */
export function nextAfter(topic: LogTopic, records: readonly NewRecord[], baseOffset: number): number {
  const last = records.at(-1);
  return topic.relayed && last ? logOffsetOf(last, null) + 1 : baseOffset + records.length;
}
