import { KappaError } from '../../kernel/errors.js';
import { topicName } from '../../kernel/names.js';
import type { EventLog } from '../../log/event-log.js';
import { buildLabel, type Build, type PartitionProgress } from './build.js';

/**
 * Refuses to use a build's checkpoints on another log than the one they were made on, or where the log does not hold them:
 * going on would silently skip or repeat events.
 * @throws KAPPA_LOG_CHANGED for another driver, cluster, incarnation or number of partitions, and for a checkpoint beyond the end;
 *         KAPPA_LOG_TRUNCATED for one before the begin.
 */
export async function checkIdentity(
  build: Build,
  progress: readonly PartitionProgress[],
  log: Pick<EventLog, 'identity' | 'describeTopic' | 'offsets'>,
): Promise<void> {
  const { driver, cluster } = await log.identity();
  for (const line of progress) {
    if (line.log.driver !== driver || line.log.cluster !== cluster) {
      throw changed(
        build,
        `its checkpoints are of the log ${line.log.driver} ${line.log.cluster}, this one is ${driver} ${cluster}`,
        { stored: line.log, log: { driver, cluster } },
      );
    }
  }
  for (const name of new Set(progress.map((line) => line.topic))) {
    await checkTopic(
      build,
      name,
      progress.filter((line) => line.topic === name),
      log,
    );
  }
}

/** Why a build's checkpoints cannot be gone on from on this log, as {@link checkIdentity} says it; null where they can. */
export async function identityFault(
  build: Build,
  progress: readonly PartitionProgress[],
  log: Pick<EventLog, 'identity' | 'describeTopic' | 'offsets'>,
): Promise<KappaError | null> {
  try {
    await checkIdentity(build, progress, log);
    return null;
  } catch (error) {
    if (error instanceof KappaError && (error.code === 'KAPPA_LOG_CHANGED' || error.code === 'KAPPA_LOG_TRUNCATED'))
      return error;
    throw error;
  }
}

async function checkTopic(
  build: Build,
  topic: string,
  lines: readonly PartitionProgress[],
  log: Pick<EventLog, 'describeTopic' | 'offsets'>,
): Promise<void> {
  const described = await log.describeTopic(topicName(topic));
  if (!described) throw changed(build, `its topic ${topic} is not in the log any more`, { topic });
  if (described.partitions !== lines.length) {
    throw changed(build, `${topic} has ${described.partitions} partitions, its checkpoints have ${lines.length}`, {
      topic,
      partitions: described.partitions,
      checkpoints: lines.length,
    });
  }
  const other = lines.find((line) => line.log.incarnation !== described.incarnation);
  if (other)
    throw changed(build, `${topic} was deleted and created again since`, {
      topic,
      stored: other.log.incarnation,
      incarnation: described.incarnation,
    });

  const offsets = await log.offsets(described.name);
  for (const { partition, nextOffset } of lines) {
    const bounds = offsets[partition];
    if (!bounds) throw changed(build, `${topic} has no partition ${partition}`, { topic, partition });
    if (nextOffset > bounds.end) {
      throw changed(
        build,
        `its checkpoint ${nextOffset} of ${topic}/${partition} lies beyond the end ${bounds.end}: the log was restored from an older state`,
        { topic, nextOffset, ...bounds },
      );
    }
    if (nextOffset < bounds.begin) {
      throw new KappaError(
        'KAPPA_LOG_TRUNCATED',
        `${buildLabel(build)} has read ${topic}/${partition} up to ${nextOffset}, but the log begins at ${bounds.begin}: what lies between is gone`,
        {
          facts: { build: build.id, topic, partition, nextOffset, begin: bounds.begin },
          nextStep: `Restore the log, or accept the gap: npx nest-kappa projections rebuild ${build.projection}@${build.version} --from-retained.`,
        },
      );
    }
  }
}

function changed(build: Build, what: string, facts: Readonly<Record<string, unknown>>): KappaError {
  return new KappaError('KAPPA_LOG_CHANGED', `${buildLabel(build)} does not belong to this log: ${what}`, {
    facts: { build: build.id, projection: build.projection, version: build.version, ...facts },
    nextStep: `Use the log it was built from, or build from this one: npx nest-kappa projections rebuild ${build.projection}@${build.version} --swap.`,
  });
}
