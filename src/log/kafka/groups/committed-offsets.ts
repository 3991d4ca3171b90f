import { partitionKey, type PartitionKey, type Position } from '../../../kernel/position.js';
import { offsetFetch } from '../wire/api/groups.js';
import type { Cluster } from '../wire/cluster.js';
import { assertNoError } from '../wire/kafka-error.js';

/**
 * What the group has committed. Waits for transactions that are ending: their offsets count from the moment their commit was
 * answered. That is told only for partitions that are asked for by name, hence all of the cluster's.
 */
export function committedOffsets(cluster: Cluster, group: string): Promise<Position> {
  return cluster.retry(`looking up what group ${group} has committed`, async () => {
    const { topics } = await cluster.metadata(null);
    const asked = topics
      .filter(({ error, internal }) => error === 0 && !internal)
      .map(({ name, partitions }) => ({ topic: name, partitions: partitions.map(({ partition }) => partition) }));
    const { error, offsets } = await cluster.sendToCoordinator('group', group, 'main', offsetFetch, { group, topics: asked });
    assertNoError(error, `what group ${group} has committed`);
    const position: Record<PartitionKey, number> = {};
    for (const { topic, partition, error: code, next } of offsets) {
      assertNoError(code, `what group ${group} has committed in ${topic}/${partition}`);
      if (next >= 0) position[partitionKey(topic, partition)] = next;
    }
    return position;
  });
}
