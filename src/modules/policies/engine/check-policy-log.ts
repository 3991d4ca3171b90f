import { topicName } from '../../../kernel/names.js';
import { checkCheckpoints } from '../../../log/check-checkpoints.js';
import type { EventLog } from '../../../log/event-log.js';
import type { PolicyPlan } from '../policy-plan.js';
import type { PolicyProgress } from '../policy-progress.js';

/**
 * Refuses to run a policy on another log than the one it has read so far, or where the log does not hold its checkpoints.
 * @throws KAPPA_LOG_CHANGED, KAPPA_LOG_TRUNCATED
 */
export async function checkPolicyLog(
  { label, topics, definition }: PolicyPlan,
  progress: Pick<PolicyProgress, 'partitions'>,
  log: Pick<EventLog, 'identity' | 'describeTopic' | 'offsets'>,
): Promise<void> {
  const lines = await progress.partitions(definition.name);
  const accept = `npx nest-kappa policies accept ${definition.name}`;
  const owner = {
    label,
    facts: { policy: definition.name },
    whenChanged: `Use the log it has read so far; after a move to Kafka carry its place over: npx nest-kappa relay adopt; else let it go on with this one: ${accept}.`,
    whenTruncated: `Restore the log, or let it go on with what is left: ${accept}.`,
  };
  // Lines of topics that it read once stay; it may read them again.
  await checkCheckpoints(
    owner,
    lines.filter((line) => topics.includes(topicName(line.topic))),
    log,
  );
}
