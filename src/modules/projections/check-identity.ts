import { KappaError } from '../../kernel/errors.js';
import { checkCheckpoints } from '../../log/check-checkpoints.js';
import type { EventLog } from '../../log/event-log.js';
import { buildLabel, type Build, type PartitionProgress } from './build.js';

/**
 * Refuses to use a build's checkpoints on another log than the one they were made on, or where the log does not hold them.
 * @throws KAPPA_LOG_CHANGED, KAPPA_LOG_TRUNCATED
 */
export async function checkIdentity(
  build: Build,
  progress: readonly PartitionProgress[],
  log: Pick<EventLog, 'identity' | 'describeTopic' | 'offsets'>,
): Promise<void> {
  const version = `${build.projection}@${build.version}`;
  const owner = {
    label: buildLabel(build),
    facts: { build: build.id, projection: build.projection, version: build.version },
    whenChanged: `Use the log it was built from, or build from this one: npx nest-kappa projections rebuild ${version} --swap.`,
    whenTruncated: `Restore the log, or accept the gap: npx nest-kappa projections rebuild ${version} --from-retained.`,
  };
  await checkCheckpoints(owner, progress, log);
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
