import type { LogRecord } from '../../../kernel/record.js';
import { changedTopic, type LogTopic } from '../log-topic.js';
import { decodeBatches } from '../record-batch.js';
import { fetchRecords, type FetchedPartition } from '../wire/api/fetch.js';
import type { Cluster } from '../wire/cluster.js';
import { assertNoError, ERROR, KafkaError } from '../wire/kafka-error.js';

export interface FetchPlace {
  readonly topic: LogTopic;
  readonly partition: number;
  /** Kafka's own offset, as all in this file. */
  readonly offset: number;
}

export interface FetchLimits {
  /** How long the broker waits while nothing is there; 0 not at all. */
  readonly maxWaitMs: number;
  readonly partitionBytes: number;
  readonly totalBytes: number;
}

export interface Fetched<P extends FetchPlace> {
  readonly place: P;
  readonly begin: number;
  readonly highWatermark: number;
  /** What can be read now ends here. */
  readonly stableEnd: number;
  /** Committed ones; their offsets are Kafka's. */
  readonly records: readonly LogRecord[];
  readonly next: number;
  /** Bytes as they came. */
  readonly bytes: number;
  /** The offset lies outside of what the broker has: nothing was read. */
  readonly outOfRange: boolean;
}

/** Beyond what the broker waits for on purpose. */
const ANSWER_MS = 30_000;

/**
 * One fetch from one leader.
 * @throws KafkaError, BrokerAwayError where it may be tried again; KAPPA_TOPIC_RECREATED, KAPPA_UNKNOWN_TOPIC
 */
export async function fetchPlaces<P extends FetchPlace>(
  cluster: Cluster,
  leader: number,
  role: string,
  places: readonly P[],
  limits: FetchLimits,
): Promise<readonly Fetched<P>[]> {
  const topics = [...new Set(places.map(({ topic }) => topic.id))].map((id) => ({
    id,
    partitions: places
      .filter(({ topic }) => topic.id === id)
      .map(({ partition, offset }) => ({ partition, offset, maxBytes: limits.partitionBytes })),
  }));
  const { error, partitions } = await cluster.send(
    leader,
    role,
    fetchRecords,
    { maxWaitMs: limits.maxWaitMs, minBytes: limits.maxWaitMs > 0 ? 1 : 0, maxBytes: limits.totalBytes, topics },
    limits.maxWaitMs + ANSWER_MS,
  );
  assertNoError(error, 'a fetch');
  const fetched: Fetched<P>[] = [];
  for (const place of places) {
    const answer = partitions.find((each) => each.topicId === place.topic.id && each.partition === place.partition);
    if (answer) fetched.push(await readAnswer(cluster, place, answer));
  }
  return fetched;
}

async function readAnswer<P extends FetchPlace>(cluster: Cluster, place: P, answer: FetchedPartition): Promise<Fetched<P>> {
  const { topic, partition, offset } = place;
  if (UNKNOWN.has(answer.error)) {
    const changed = await changedTopic(cluster, topic);
    throw changed ?? new KafkaError(ERROR.leaderNotAvailable, `${topic.name}/${partition}`);
  }
  const outOfRange = answer.error === ERROR.offsetOutOfRange;
  if (!outOfRange) {
    if (answer.error !== 0) cluster.forget(topic.name);
    assertNoError(answer.error, `reading ${topic.name}/${partition}`);
  }
  const { records, next } = outOfRange
    ? { records: [], next: offset }
    : await decodeBatches(answer.records, { topic: topic.name, partition, from: offset, aborted: answer.aborted });
  return {
    place,
    begin: answer.logStart,
    highWatermark: answer.highWatermark,
    stableEnd: answer.lastStableOffset < 0 ? answer.highWatermark : answer.lastStableOffset,
    records,
    next,
    bytes: answer.records.length,
    outOfRange,
  };
}

const UNKNOWN: ReadonlySet<number> = new Set([ERROR.unknownTopicId, ERROR.inconsistentTopicId, ERROR.unknownTopicOrPartition]);

/** Places by the broker that leads them. */
export async function byLeader<P extends FetchPlace>(cluster: Cluster, places: readonly P[]): Promise<Map<number, P[]>> {
  const groups = new Map<number, P[]>();
  for (const place of places) {
    const leader = await cluster.leader(place.topic.name, place.partition);
    const group = groups.get(leader);
    if (group) group.push(place);
    else groups.set(leader, [place]);
  }
  return groups;
}
