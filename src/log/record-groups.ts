import { KappaError } from '../kernel/errors.js';
import type { TopicName } from '../kernel/names.js';
import { partitionKey, type PartitionKey } from '../kernel/position.js';
import { recordBytes, recordBytesAtMost, type NewRecord } from '../kernel/record.js';

/** The records of one append that go to one partition, in order. */
export interface RecordGroup<T> {
  readonly topic: T;
  readonly key: PartitionKey;
  readonly partition: number;
  readonly records: readonly NewRecord[];
}

/**
 * Checks records before anything is written and gathers them by partition, the same on every driver.
 * @throws KAPPA_RECORD_TOO_LARGE, KAPPA_UNKNOWN_PARTITION, KAPPA_BAD_RECORD
 */
export function groupRecords<T extends { readonly partitions: number }>(
  records: readonly NewRecord[],
  topics: ReadonlyMap<TopicName, T>,
  maxRecordBytes: number,
): readonly RecordGroup<T>[] {
  const groups = new Map<PartitionKey, { topic: T; key: PartitionKey; partition: number; records: NewRecord[] }>();
  for (const record of records) {
    assertRecordFits(record, maxRecordBytes);
    assertText(record);
    const key = partitionKey(record.topic, record.partition);
    let group = groups.get(key);
    if (!group) {
      const topic = topics.get(record.topic);
      if (!topic) throw unknownTopic(record.topic);
      assertPartition(record.topic, record.partition, topic.partitions);
      group = { topic, key, partition: record.partition, records: [] };
      groups.set(key, group);
    }
    group.records.push(record);
  }
  return [...groups.values()];
}

/** @throws KAPPA_RECORD_TOO_LARGE */
export function assertRecordFits(
  record: Pick<NewRecord, 'topic' | 'partition' | 'key' | 'value' | 'headers'>,
  maxRecordBytes: number,
): void {
  if (recordBytesAtMost(record) <= maxRecordBytes) return;
  const bytes = recordBytes(record);
  if (bytes <= maxRecordBytes) return;
  throw new KappaError(
    'KAPPA_RECORD_TOO_LARGE',
    `a record for ${record.topic} has ${bytes} bytes, the limit is ${maxRecordBytes}`,
    {
      facts: { topic: record.topic, partition: record.partition, key: record.key, bytes, maxRecordBytes },
      nextStep: 'Put the bulk elsewhere and a reference to it in the record, or raise log.maxRecordBytes.',
    },
  );
}

export function assertPartition(topic: TopicName, partition: number, partitions: number): void {
  if (Number.isInteger(partition) && partition >= 0 && partition < partitions) return;
  throw new KappaError('KAPPA_UNKNOWN_PARTITION', `topic ${topic} has no partition ${partition}`, {
    facts: { topic, partition, partitions },
    nextStep: `Use 0 to ${partitions - 1}.`,
  });
}

export function unknownTopic(topic: TopicName): KappaError {
  return new KappaError('KAPPA_UNKNOWN_TOPIC', `the log has no topic ${topic}`, {
    facts: { topic },
    nextStep: 'Create it, or list it in the definitions of the application.',
  });
}

/** A NUL cannot be stored as text by PostgreSQL, and a lone surrogate would change on its way through UTF-8. */
function assertText(record: NewRecord): void {
  if (record.key !== null && !isText(record.key)) throw badText(record, 'key');
  for (const name in record.headers) {
    if (!isText(name) || !isText(record.headers[name] ?? '')) throw badText(record, `header ${JSON.stringify(name)}`);
  }
}

function isText(text: string): boolean {
  return !text.includes('\0') && text.isWellFormed();
}

function badText(record: NewRecord, where: string): KappaError {
  return new KappaError('KAPPA_BAD_RECORD', `the ${where} of a record for ${record.topic} is not well-formed text`, {
    facts: { topic: record.topic, partition: record.partition, where },
    nextStep: 'Leave out NUL characters and unpaired surrogates.',
  });
}
