import type { PartitionCheckpoint } from '../database/partition-progress.js';
import { KappaError, type ErrorFacts } from '../kernel/errors.js';
import { topicName } from '../kernel/names.js';
import type { EventLog } from './event-log.js';

/** Whose checkpoints they are, and what its user does when they do not fit. */
export interface CheckpointOwner {
  readonly label: string;
  readonly facts: ErrorFacts;
  /** What to do when they are of another log, as a sentence. */
  readonly whenChanged: string;
  /** What to do when the log does not reach back to them, as a sentence. */
  readonly whenTruncated: string;
}

type CheckedLog = Pick<EventLog, 'identity' | 'describeTopic' | 'offsets'>;

/**
 * Refuses to use checkpoints on another log than the one they were made on, or where the log does not hold them: going on would
 * silently skip or repeat events.
 * @throws KAPPA_LOG_CHANGED for another driver, cluster, incarnation or number of partitions, and for a checkpoint beyond the end;
 *         KAPPA_LOG_TRUNCATED for one before the begin.
 */
export async function checkCheckpoints(
  owner: CheckpointOwner,
  checkpoints: readonly PartitionCheckpoint[],
  log: CheckedLog,
): Promise<void> {
  const { driver, cluster } = await log.identity();
  for (const line of checkpoints) {
    if (line.log.driver !== driver || line.log.cluster !== cluster) {
      throw changed(
        owner,
        `its checkpoints are of the log ${line.log.driver} ${line.log.cluster}, this one is ${driver} ${cluster}`,
        { stored: line.log, log: { driver, cluster } },
      );
    }
  }
  for (const name of new Set(checkpoints.map((line) => line.topic))) {
    await checkTopic(
      owner,
      name,
      checkpoints.filter((line) => line.topic === name),
      log,
    );
  }
}

async function checkTopic(
  owner: CheckpointOwner,
  topic: string,
  lines: readonly PartitionCheckpoint[],
  log: CheckedLog,
): Promise<void> {
  const described = await log.describeTopic(topicName(topic));
  if (!described) throw changed(owner, `its topic ${topic} is not in the log any more`, { topic });
  if (described.partitions !== lines.length) {
    throw changed(owner, `${topic} has ${described.partitions} partitions, its checkpoints have ${lines.length}`, {
      topic,
      partitions: described.partitions,
      checkpoints: lines.length,
    });
  }
  const other = lines.find((line) => line.log.incarnation !== described.incarnation);
  if (other)
    throw changed(owner, `${topic} was deleted and created again since`, {
      topic,
      stored: other.log.incarnation,
      incarnation: described.incarnation,
    });

  const offsets = await log.offsets(described.name);
  for (const { partition, nextOffset } of lines) {
    const bounds = offsets[partition];
    if (!bounds) throw changed(owner, `${topic} has no partition ${partition}`, { topic, partition });
    if (nextOffset > bounds.end) {
      throw changed(
        owner,
        `its checkpoint ${nextOffset} of ${topic}/${partition} lies beyond the end ${bounds.end}: the log was restored from an older state`,
        { topic, nextOffset, ...bounds },
      );
    }
    if (nextOffset < bounds.begin) {
      throw new KappaError(
        'KAPPA_LOG_TRUNCATED',
        `${owner.label} has read ${topic}/${partition} up to ${nextOffset}, but the log begins at ${bounds.begin}: what lies between is gone`,
        { facts: { ...owner.facts, topic, partition, nextOffset, begin: bounds.begin }, nextStep: owner.whenTruncated },
      );
    }
  }
}

function changed(owner: CheckpointOwner, what: string, facts: ErrorFacts): KappaError {
  return new KappaError('KAPPA_LOG_CHANGED', `${owner.label} does not belong to this log: ${what}`, {
    facts: { ...owner.facts, ...facts },
    nextStep: owner.whenChanged,
  });
}
