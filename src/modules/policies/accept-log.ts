import { KappaError } from '../../kernel/errors.js';
import { topicName } from '../../kernel/names.js';
import type { EventLog, LogIdentity, PartitionOffsets, TopicDescription } from '../../log/event-log.js';
import type { PolicyPartition, PolicyProgress } from './policy-progress.js';

/** A partition in which a policy goes on elsewhere. */
export interface AcceptedMove {
  readonly topic: string;
  readonly partition: number;
  /** Null where it had no progress. */
  readonly from: number | null;
  readonly to: number;
}

/** Where a policy goes on in a topic that is not what it has read. */
export interface AcceptedTopic {
  readonly description: TopicDescription;
  readonly moves: readonly AcceptedMove[];
}

/**
 * What would have to change for a policy to go on with the log as it is now. A topic that is another one (of another cluster,
 * deleted and created again, with other partitions) is begun anew at the given end of it; in one that was set back, only the
 * partitions whose progress lies outside of it. What fits stays as it is.
 * @throws KAPPA_UNKNOWN_TOPIC where the log lacks a topic
 */
export async function movesToFit(
  policy: string,
  at: 'begin' | 'end',
  log: Pick<EventLog, 'identity' | 'describeTopic' | 'offsets'>,
  progress: Pick<PolicyProgress, 'partitions'>,
): Promise<readonly AcceptedTopic[]> {
  const identity = await log.identity();
  const lines = await progress.partitions(policy);
  const topics: AcceptedTopic[] = [];
  for (const topic of new Set(lines.map((line) => line.topic))) {
    const description = await log.describeTopic(topicName(topic));
    if (!description) throw missing(policy, topic);
    const known = lines.filter((line) => line.topic === topic);
    const moves = movesIn(known, description, await log.offsets(description.name), identity, at);
    if (moves.length > 0) topics.push({ description, moves });
  }
  return topics;
}

function movesIn(
  known: readonly PolicyPartition[],
  { name, partitions, incarnation }: TopicDescription,
  offsets: readonly PartitionOffsets[],
  { driver, cluster }: LogIdentity,
  at: 'begin' | 'end',
): readonly AcceptedMove[] {
  const isSame =
    known.length === partitions &&
    known.every(({ log }) => log.driver === driver && log.cluster === cluster && log.incarnation === incarnation);
  return offsets.flatMap((bounds) => {
    const from = known.find(({ partition }) => partition === bounds.partition)?.nextOffset ?? null;
    if (isSame && from !== null && from >= bounds.begin && from <= bounds.end) return [];
    return [{ topic: name, partition: bounds.partition, from, to: bounds[at] }];
  });
}

function missing(policy: string, topic: string): KappaError {
  return new KappaError('KAPPA_UNKNOWN_TOPIC', `policy ${policy} reads ${topic}, which is not in the log`, {
    facts: { policy, topic },
    nextStep: 'Start the application, which creates the topics it declares, and accept then.',
  });
}
