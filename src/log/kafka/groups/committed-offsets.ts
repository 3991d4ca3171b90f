import { partitionKey, type PartitionKey, type Position } from '../../../kernel/position.js';
import { offsetFetch } from '../wire/api/groups.js';
import type { Cluster } from '../wire/cluster.js';
import { assertNoError } from '../wire/kafka-error.js';

/** What sessions of ours write beside the offsets they commit: these are log offsets. Other clients commit Kafka's own. */
export const LOG_OFFSETS = 'kappa';

export interface CommittedPlace {
  readonly topic: string;
  readonly partition: number;
  readonly next: number;
  readonly inLogOffsets: boolean;
}

/** What the group has committed by sessions of ours. */
export async function committedOffsets(cluster: Cluster, group: string): Promise<Position> {
  const position: Record<PartitionKey, number> = {};
  for (const { topic, partition, next } of await committedPlaces(cluster, group))
    position[partitionKey(topic, partition)] = next;
  return position;
}

/**
 * As it was committed. Waits for transactions that are ending: their offsets count from the moment their commit was answered.
 * That is told only for partitions that are asked for by name, hence all of the cluster's. `waitMs`: after so long what was
 * committed before a transaction that does not end; by default that is waited for as long as anything is.
 */
export function committedPlaces(cluster: Cluster, group: string, waitMs = Infinity): Promise<readonly CommittedPlace[]> {
  const until = performance.now() + waitMs;
  return cluster.retry(`looking up what group ${group} has committed`, async () => {
    const { topics } = await cluster.metadata(null);
    const asked = topics
      .filter(({ error, internal }) => error === 0 && !internal)
      .map(({ name, partitions }) => ({ topic: name, partitions: partitions.map(({ partition }) => partition) }));
    const { error, offsets } = await cluster.sendToCoordinator('group', group, 'main', offsetFetch, {
      group,
      topics: asked,
      requireStable: performance.now() < until,
    });
    assertNoError(error, `what group ${group} has committed`);
    for (const { topic, partition, error: code } of offsets)
      assertNoError(code, `what group ${group} has committed in ${topic}/${partition}`);
    return offsets
      .filter(({ next }) => next >= 0)
      .map(({ topic, partition, next, metadata }) => ({ topic, partition, next, inLogOffsets: metadata === LOG_OFFSETS }));
  });
}
