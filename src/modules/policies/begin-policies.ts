import type { EventLog } from '../../log/event-log.js';
import type { NewPolicyTopic, PolicyProgress } from './policy-progress.js';
import type { PolicyDefinition } from './policy.js';

/**
 * Decides where policies start that are seen for the first time, and reads the ends of no topic for the others. Every process
 * that has their code does this before it executes commands, also one that runs no policies: what is appended before the first
 * worker starts is then to come, not past.
 */
export async function beginPolicies(
  policies: readonly PolicyDefinition[],
  log: Pick<EventLog, 'identity' | 'describeTopic' | 'offsets'>,
  progress: PolicyProgress,
): Promise<void> {
  if (policies.length === 0) return;
  const identity = await log.identity();
  for (const policy of policies) {
    const known = new Set((await progress.partitions(policy.name)).map((line) => line.topic));
    const topics: NewPolicyTopic[] = [];
    for (const { name } of policy.from) {
      const description = known.has(name) ? null : await log.describeTopic(name);
      if (description) topics.push({ description, offsets: await log.offsets(name) });
    }
    if (topics.length > 0) await progress.begin(policy, topics, identity);
  }
}
