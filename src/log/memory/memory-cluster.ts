import { randomUUID } from 'node:crypto';
import type { Offset, TopicName } from '../../kernel/names.js';
import { partitionKey, type PartitionKey, type Position } from '../../kernel/position.js';
import { recordBytes, type LogRecord } from '../../kernel/record.js';
import type { Retention } from '../../kernel/topic.js';
import type { AppendSignal, PartitionOffsets, TopicDescription, TopicSpec } from '../event-log.js';
import type { Page, PageWish } from '../page-source.js';
import type { RecordGroup } from '../record-groups.js';
import { MemoryGroups } from './memory-groups.js';

export interface MemoryTopic extends TopicDescription {
  readonly contents: readonly MemoryPartition[];
}

interface MemoryPartition {
  begin: number;
  readonly records: LogRecord[];
}

/**
 * What the `MemoryLog`s of one process share, as processes share a server. Each change happens within one turn of the event
 * loop: an append is all or nothing because nothing comes between.
 */
export class MemoryCluster {
  readonly id = randomUUID();
  readonly groups = new MemoryGroups();
  /** By group. */
  readonly committed = new Map<string, Record<PartitionKey, number>>();
  /** By task: its latest session. */
  readonly epochs = new Map<string, number>();
  /** Who is told of every append. */
  readonly listeners = new Set<AppendSignal>();
  readonly #topics = new Map<TopicName, MemoryTopic>();

  /** The topics by name. */
  get topics(): ReadonlyMap<TopicName, MemoryTopic> {
    return this.#topics;
  }

  /** Creates the topic, or gives it this retention. */
  putTopic({ name, partitions, retention }: TopicSpec): MemoryTopic {
    const found = this.#topics.get(name);
    const topic: MemoryTopic = found
      ? { ...found, retention }
      : {
          name,
          partitions,
          retention,
          incarnation: randomUUID(),
          contents: Array.from({ length: partitions }, () => ({ begin: 0, records: [] })),
        };
    this.#topics.set(name, topic);
    return topic;
  }

  append(groups: readonly RecordGroup<MemoryTopic>[]): Position {
    const position: Record<PartitionKey, number> = {};
    for (const { topic, partition, key, records } of groups) {
      const contents = partitionOf(topic, partition);
      const timestampUs = Math.max(Date.now() * 1000, contents.records.at(-1)?.timestampUs ?? 0);
      for (const record of records) {
        contents.records.push({
          topic: topic.name,
          partition,
          offset: endOf(contents),
          timestampUs,
          key: record.key,
          // Copies, for the caller may use its buffers again.
          value: record.value === null ? null : Uint8Array.from(record.value),
          headers: { ...record.headers },
        });
      }
      position[key] = endOf(contents);
    }
    for (const listener of this.listeners) listener.appended(position);
    return position;
  }

  page(topic: MemoryTopic, wish: PageWish): Page {
    const contents = partitionOf(topic, wish.partition);
    const from = Math.max(0, wish.from - contents.begin);
    const to = Math.min(from + wish.maxRecords, (wish.to ?? Infinity) - contents.begin);
    const records: LogRecord[] = [];
    let bytes = 0;
    for (const record of contents.records.slice(from, Math.max(from, to))) {
      if (bytes >= wish.maxBytes) break;
      bytes += recordBytes(record);
      records.push(record);
    }
    return { begin: contents.begin as Offset, end: endOf(contents), records };
  }

  offsets(topic: MemoryTopic): readonly PartitionOffsets[] {
    return topic.contents.map((contents, partition) => ({ partition, begin: contents.begin as Offset, end: endOf(contents) }));
  }

  offsetsAt(topic: MemoryTopic, timestampMs: number): readonly Offset[] {
    return topic.contents.map(
      (contents) => contents.records.find(({ timestampUs }) => timestampUs >= timestampMs * 1000)?.offset ?? endOf(contents),
    );
  }

  commitOffsets(group: string, position: Position): void {
    this.committed.set(group, { ...this.committed.get(group), ...position });
  }

  /** Removes what topics need not keep, and returns how many records that were. */
  enforceRetention(nowMs: number): number {
    let removed = 0;
    for (const { retention, contents } of this.#topics.values()) {
      if (retention) for (const partition of contents) removed += trim(partition, retention, nowMs);
    }
    return removed;
  }
}

function trim(partition: MemoryPartition, { ms = Infinity, bytes = Infinity }: Retention, nowMs: number): number {
  let excess = bytes === Infinity ? -Infinity : partition.records.reduce((sum, record) => sum + recordBytes(record), 0) - bytes;
  let count = 0;
  for (const record of partition.records) {
    const size = recordBytes(record);
    if (record.timestampUs / 1000 >= nowMs - ms && size > excess) break;
    excess -= size;
    count += 1;
  }
  partition.records.splice(0, count);
  partition.begin += count;
  return count;
}

function endOf({ begin, records }: MemoryPartition): Offset {
  return (begin + records.length) as Offset;
}

function partitionOf(topic: MemoryTopic, partition: number): MemoryPartition {
  const contents = topic.contents[partition];
  if (!contents) throw new RangeError(`no partition ${partitionKey(topic.name, partition)}`);
  return contents;
}
