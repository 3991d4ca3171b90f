import { unknownTopic } from '../../record-groups.js';
import type { LogTopic } from '../log-topic.js';
import { produce } from '../wire/api/produce.js';
import type { Cluster } from '../wire/cluster.js';
import { BrokerAwayError, ERROR, KafkaError, passes } from '../wire/kafka-error.js';

export interface PendingBatch {
  readonly topic: LogTopic;
  readonly partition: number;
  /** As it goes over the wire: sent again, it is the same batch, which a broker writes once. */
  readonly bytes: Buffer;
  /** Where it was written; null until then. */
  baseOffset: number | null;
  /** It was sent and not refused, so that it may have been written. */
  maybeWritten: boolean;
}

export interface ProduceOptions {
  readonly role: string;
  readonly transactionalId: string | null;
}

const REPLICATION_MS = 15_000;

/**
 * Writes batches, one for each partition, to their leaders, and again to new leaders where those have moved, until all are
 * replicated or the cluster's bound is over.
 * @throws RetriableError after the bound; KafkaError for what does not pass by itself
 */
export async function produceBatches(
  cluster: Cluster,
  batches: readonly PendingBatch[],
  { role, transactionalId }: ProduceOptions,
): Promise<void> {
  await cluster.retry('writing to the log', async () => {
    const leaders = new Map<number, PendingBatch[]>();
    for (const batch of batches) {
      if (batch.baseOffset !== null) continue;
      const leader = await cluster.leader(batch.topic.name, batch.partition);
      leaders.set(leader, [...(leaders.get(leader) ?? []), batch]);
    }
    const failures = await Promise.all(
      [...leaders].map(([leader, led]) => writeTo(cluster, leader, led, { role, transactionalId })),
    );
    const failed = failures.flat().filter((failure) => failure !== null);
    // What does not pass decides, whatever else there is.
    const fatal = failed.find((error) => !passes(error));
    if (fatal) throw fatal;
    if (failed[0]) throw failed[0];
  });
}

/** Asks the leader once. Tells of each batch why it was not written, null where it was. */
export async function writeTo(
  cluster: Cluster,
  leader: number,
  batches: readonly PendingBatch[],
  { role, transactionalId }: ProduceOptions,
): Promise<readonly (Error | null)[]> {
  const names = [...new Set(batches.map(({ topic }) => topic.name))];
  const topics = names.map((name) => ({
    name,
    partitions: batches.filter(({ topic }) => topic.name === name).map(({ partition, bytes }) => ({ partition, batch: bytes })),
  }));
  let answers;
  try {
    answers = await cluster.send(leader, role, produce, { transactionalId, timeoutMs: REPLICATION_MS, topics });
  } catch (error) {
    if (error instanceof BrokerAwayError && error.sent) for (const batch of batches) batch.maybeWritten = true;
    const failure = error instanceof Error ? error : new Error(String(error));
    return batches.map(() => failure);
  }
  return batches.map((batch) => {
    const { topic, partition } = batch;
    const answer = answers.find((each) => each.topic === topic.name && each.partition === partition);
    const code = answer?.error ?? ERROR.networkException;
    if (code === 0 || code === ERROR.duplicateSequence) {
      batch.baseOffset = answer?.baseOffset ?? -1;
      return null;
    }
    if (code === ERROR.requestTimedOut || code === ERROR.notEnoughReplicasAfterAppend || !answer) batch.maybeWritten = true;
    cluster.forget(topic.name);
    return code === ERROR.unknownTopicOrPartition
      ? unknownTopic(topic.name)
      : new KafkaError(code, `writing to ${topic.name}/${partition}`);
  });
}
