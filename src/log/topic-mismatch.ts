import { KappaError } from '../kernel/errors.js';
import type { TopicSpec } from './event-log.js';

/** The log has the topic with another number of partitions. */
export function topicMismatch(spec: TopicSpec, partitions: number): KappaError {
  return new KappaError(
    'KAPPA_TOPIC_MISMATCH',
    `topic ${spec.name} has ${partitions} partitions in the log, ${spec.partitions} are declared`,
    {
      facts: { topic: spec.name, partitions, declared: spec.partitions },
      nextStep: `Declare partitions: ${partitions}; another number would move keys and break their order. For more, declare a new topic.`,
    },
  );
}

/** Only Kafka compacts. */
export function assertNoCompaction(spec: TopicSpec, driver: string): void {
  if (!spec.compaction) return;
  throw new KappaError(
    'KAPPA_UNSUPPORTED',
    `topic ${spec.name} is declared with compaction, which the ${driver} log does not have`,
    {
      facts: { topic: spec.name, driver },
      nextStep: 'Leave compaction out, or let Kafka carry the log.',
    },
  );
}
