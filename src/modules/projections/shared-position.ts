import { partitionKey, type PartitionKey, type Position } from '../../kernel/position.js';
import type { PartitionProgress } from './build.js';

/**
 * Of a build's position, the partitions that another build reads too, of the same log and the same incarnation of the topic. Only
 * there can one be compared with the other: versions may read different topics, and offsets of a log that was set up anew, or of
 * a topic that was made again, have nothing to do with those before.
 */
export function sharedPosition(own: readonly PartitionProgress[], other: readonly PartitionProgress[]): Position {
  const lines = new Map(other.map((line) => [partitionKey(line.topic, line.partition), line.log]));
  const shared: Record<PartitionKey, number> = {};
  for (const { topic, partition, nextOffset, log } of own) {
    const key = partitionKey(topic, partition);
    const theirs = lines.get(key);
    if (theirs?.driver === log.driver && theirs.cluster === log.cluster && theirs.incarnation === log.incarnation)
      shared[key] = nextOffset;
  }
  return shared;
}
