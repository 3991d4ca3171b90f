import { partitionKey, type PartitionKey } from '../../../kernel/position.js';
import { logOffsetOf, type LogTopic } from '../log-topic.js';
import type { Cluster } from '../wire/cluster.js';
import { RelayedOffsets, type RelayedBounds } from './relayed-offsets.js';

/**
 * Between log offsets and Kafka's own in relayed topics, for who looks at what other clients have committed there. Bounds are
 * looked up once for each partition.
 */
export class OffsetTranslation {
  readonly #relayed: RelayedOffsets;
  readonly #bounds = new Map<PartitionKey, Promise<RelayedBounds>>();

  constructor(cluster: Cluster) {
    this.#relayed = new RelayedOffsets(cluster, 'offsets');
  }

  /** Where a client that goes on at Kafka's offset is: at the log offset of the first record from there on, else at the end. */
  async toLog(topic: LogTopic, partition: number, kafkaOffset: number): Promise<number> {
    const bounds = await this.#boundsOf(topic, partition);
    if (kafkaOffset >= bounds.kafkaEnd) return bounds.end;
    const record = await this.#relayed.firstAt(topic, partition, Math.max(kafkaOffset, bounds.kafkaBegin));
    return record ? logOffsetOf(record, record.offset) : bounds.end;
  }

  async toKafka(topic: LogTopic, partition: number, logOffset: number): Promise<number> {
    return this.#relayed.locate(topic, partition, logOffset, await this.#boundsOf(topic, partition));
  }

  #boundsOf(topic: LogTopic, partition: number): Promise<RelayedBounds> {
    const key = partitionKey(topic.name, partition);
    const known = this.#bounds.get(key) ?? this.#relayed.bounds(topic, partition);
    this.#bounds.set(key, known);
    return known;
  }
}
