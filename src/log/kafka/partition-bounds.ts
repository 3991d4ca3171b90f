import type { LogTopic } from './log-topic.js';
import { EARLIEST, LATEST, listOffsets } from './wire/api/list-offsets.js';
import type { Cluster } from './wire/cluster.js';
import { assertNoError, ERROR, KafkaError } from './wire/kafka-error.js';

export interface Bounds {
  readonly begin: number;
  /** The high watermark, read uncommitted: markers and transactions that are still open count. */
  readonly end: number;
}

/** Kafka's own offsets of these partitions. */
export async function readBounds(
  cluster: Cluster,
  topic: LogTopic,
  partitions: readonly number[] = allOf(topic),
): Promise<ReadonlyMap<number, Bounds>> {
  const [begins, ends] = [
    await readOffsets(cluster, topic, partitions, EARLIEST),
    await readOffsets(cluster, topic, partitions, LATEST),
  ];
  return new Map(
    partitions.map((partition) => [partition, { begin: begins.get(partition) ?? 0, end: ends.get(partition) ?? 0 }]),
  );
}

/** -1 where no record is that late. */
export function readOffsets(
  cluster: Cluster,
  topic: LogTopic,
  partitions: readonly number[],
  timestamp: number,
): Promise<ReadonlyMap<number, number>> {
  return cluster.retry(`looking up offsets of ${topic.name}`, async () => {
    const leaders = new Map<number, number[]>();
    for (const partition of partitions) {
      const leader = await cluster.leader(topic.name, partition);
      leaders.set(leader, [...(leaders.get(leader) ?? []), partition]);
    }
    const found = new Map<number, number>();
    for (const [leader, led] of leaders) {
      const wishes = led.map((partition) => ({ topic: topic.name, partition, timestamp }));
      for (const { partition, error, offset } of await cluster.send(leader, 'main', listOffsets, wishes)) {
        if (error === ERROR.unknownTopicOrPartition) throw new KafkaError(ERROR.leaderNotAvailable, topic.name);
        assertNoError(error, `the offsets of ${topic.name}/${partition}`);
        found.set(partition, offset);
      }
    }
    return found;
  });
}

export function allOf({ partitions }: LogTopic): readonly number[] {
  return Array.from({ length: partitions }, (_, partition) => partition);
}
