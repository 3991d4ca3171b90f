import { KappaError } from '../../../kernel/errors.js';
import type { TopicName } from '../../../kernel/names.js';
import { partitionKey } from '../../../kernel/position.js';
import type { EventLog } from '../../../log/event-log.js';
import { positionRecord, relayTask, relayTopicSpec } from './relay-record.js';
import type { Outbox } from './relay.js';

export interface RestartContext {
  readonly schema: string;
  readonly outbox: Pick<Outbox, 'offsets' | 'identity' | 'describeTopic'>;
  readonly log: EventLog;
}

/**
 * Lets the relay begin anew with a topic whose copy in the log was lost: all partitions go back to the begin of their outbox.
 * @throws KAPPA_RELAY_TOPIC_NOT_EMPTY while records stand in the topic: relaying again would repeat them
 */
export async function restartRelay({ schema, outbox, log }: RestartContext, topic: TopicName): Promise<void> {
  const rows = await outbox.describeTopic(topic);
  if (!rows) {
    throw new KappaError('KAPPA_UNKNOWN_TOPIC', `no aggregate writes to a topic ${topic}`, {
      facts: { topic },
      nextStep: 'Name a topic that `npx nest-kappa relay status` shows.',
    });
  }
  await log.createTopic({ name: topic, partitions: rows.partitions, retention: rows.retention });
  await log.createTopic(relayTopicSpec);
  const { cluster } = await outbox.identity();
  for (const { partition, begin } of await outbox.offsets(topic)) {
    // First fenced, then looked at: a running relay cannot write in between.
    const writer = await log.openWriter(relayTask(schema, topic, partition), topic, partition);
    try {
      const end = (await log.offsets(topic))[partition]?.end ?? 0;
      if (end > 0) throw notEmpty(topic, partition, end);
      await log.append([positionRecord({ key: partitionKey(topic, partition), next: begin, outbox: cluster })]);
    } finally {
      await writer.close();
    }
  }
}

function notEmpty(topic: TopicName, partition: number, end: number): KappaError {
  return new KappaError('KAPPA_RELAY_TOPIC_NOT_EMPTY', `${topic}/${partition} holds records up to ${end}`, {
    facts: { topic, partition, end },
    nextStep: `Delete topic ${topic} in the log first: relaying again would repeat what it holds.`,
  });
}
