import { afterEach, expect, it } from 'vitest';
import { topicName, type TopicName } from '../../../src/kernel/names.js';
import { partitionKey } from '../../../src/kernel/position.js';
import { LOG_OFFSET_HEADER, type NewRecord } from '../../../src/kernel/record.js';
import type { EventLog } from '../../../src/log/event-log.js';
import { uniqueName } from '../../../src/testing/log-conformance/log-under-test.js';
import { describeOnKafka } from '../../support/kafka.js';
import { KafkaClients, withAdmin } from './kafka-clients.js';

await describeOnKafka('groups in a relayed topic', 1, (brokers) => {
  const clients = new KafkaClients(brokers, { relayed: async () => true });
  afterEach(() => clients.close());

  /** Two records a transaction, whose marker takes a third of Kafka's offsets: 0 1 – 3 4 – 6 7 –. */
  const relayed = async (log: EventLog): Promise<TopicName> => {
    const topic = topicName(uniqueName('t'));
    await log.createTopic({ name: topic, partitions: 1, retention: null });
    const session = await log.openSession(uniqueName('task'));
    for (const first of [0, 2, 4]) {
      const transaction = session.begin();
      transaction.append([first, first + 1].map((offset) => record(topic, offset)));
      expect((await transaction.commit()).outcome).toBe('committed');
    }
    return topic;
  };

  // kafkajs's admin joins the group to set its offsets, which takes a moment each time.
  it('of other clients are shown in log offsets and moved to where the record lies in Kafka', { timeout: 60_000 }, async () => {
    const { log } = await clients.open();
    const topic = await relayed(log);
    const key = partitionKey(topic, 0);
    const groupId = uniqueName('g');
    await withAdmin(brokers, async (admin) => {
      const shownAt = async (offset: number): Promise<number | undefined> => {
        await admin.setOffsets({ groupId, topic, partitions: [{ partition: 0, offset: String(offset) }] });
        return (await log.groups.describe(groupId))?.committed[key];
      };
      expect(await shownAt(4)).toBe(3);
      // At a marker, and at the end of all.
      expect(await shownAt(2)).toBe(2);
      expect(await shownAt(9)).toBe(6);

      const soughtTo = async (offset: number): Promise<string | undefined> => {
        await log.groups.seek(groupId, { [key]: offset });
        return (await admin.fetchOffsets({ groupId, topics: [topic] }))[0]?.partitions[0]?.offset;
      };
      expect(await soughtTo(4)).toBe('6');
      expect(await soughtTo(0)).toBe('0');
      expect(await soughtTo(6)).toBe('9');
    });
  });

  it('of our own sessions stay in log offsets', async () => {
    const { log } = await clients.open();
    const topic = await relayed(log);
    const key = partitionKey(topic, 0);
    const group = uniqueName('g');
    const session = await log.openSession(uniqueName('task'));
    const transaction = session.begin();
    transaction.commitOffsets(group, { [key]: 5 });
    expect((await transaction.commit()).outcome).toBe('committed');
    expect((await log.groups.describe(group))?.committed).toEqual({ [key]: 5 });
    await log.groups.seek(group, { [key]: 3 });
    expect(await log.committed(group)).toEqual({ [key]: 3 });
    expect((await log.groups.describe(group))?.committed).toEqual({ [key]: 3 });
  });
});

function record(topic: TopicName, offset: number): NewRecord {
  return {
    topic,
    partition: 0,
    key: 'k',
    value: Buffer.from(String(offset)),
    headers: { [LOG_OFFSET_HEADER]: String(offset) },
  };
}
