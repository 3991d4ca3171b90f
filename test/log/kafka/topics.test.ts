import { afterEach, expect, it } from 'vitest';
import { topicName } from '../../../src/kernel/names.js';
import { partitionKey } from '../../../src/kernel/position.js';
import {
  at,
  code,
  joinRecording,
  newTopic,
  pollUntil,
  readAll,
  record,
  records,
  uniqueName,
} from '../../../src/testing/log-conformance/log-under-test.js';
import { describeOnKafka } from '../../support/kafka.js';
import { deleteRecords, KafkaClients, withAdmin } from './kafka-clients.js';

await describeOnKafka('a topic of Kafka', 1, (brokers) => {
  const clients = new KafkaClients(brokers);
  afterEach(() => clients.close());

  it('that was deleted and created again is another one, to whoever reads it', async () => {
    const { log } = await clients.open();
    const topic = await newTopic(log, 1);
    await log.append(records(topic, 0, 5));
    const before = at(await log.describeTopic(topic));
    const key = partitionKey(topic, 0);
    const seen: number[] = [];
    let recreating = Promise.resolve();
    const recreate = async () => {
      await withAdmin(brokers, (admin) => admin.deleteTopics({ topics: [topic] }));
      const other = await clients.open();
      while (await other.log.describeTopic(topic)) await new Promise((resolve) => setImmediate(resolve));
      await other.log.createTopic({ name: topic, partitions: 1, retention: null });
      // Longer than the former: by its offsets alone a reader would notice nothing.
      await other.log.append(records(topic, 0, 9, 'other'));
    };
    const following = (async () => {
      for await (const batch of log.read({ from: { [key]: 0 } })) {
        seen.push(...batch.records.map(({ offset }) => offset));
        if (seen.length === 5) recreating = recreate();
      }
    })();
    await expect(following).rejects.toSatisfy(
      (error) =>
        error instanceof Error &&
        'code' in error &&
        ['KAPPA_TOPIC_RECREATED', 'KAPPA_UNKNOWN_TOPIC'].includes(String(error.code)),
    );
    expect(seen).toEqual([0, 1, 2, 3, 4]);
    await recreating;
    const later = await clients.open();
    expect(at(await later.log.describeTopic(topic)).incarnation).not.toBe(before.incarnation);
  });

  it('that was deleted is unknown to a member that reads it', async () => {
    const { log } = await clients.open();
    const topic = await newTopic(log, 1);
    const { member } = await joinRecording(log, uniqueName('g'), [topic]);
    await pollUntil([member], () => member.assignment.length === 1);
    await withAdmin(brokers, (admin) => admin.deleteTopics({ topics: [topic] }));
    await expect(pollUntil([member], () => false)).rejects.toSatisfy(code('KAPPA_UNKNOWN_TOPIC'));
  });

  it('that stands otherwise than declared is reported once, with words, and left alone', async () => {
    const warnings: string[] = [];
    const logger = { log: () => undefined, error: () => undefined, warn: (message: string) => warnings.push(message) };
    const { log } = await clients.open({ replicationFactor: 1 }, { logger });
    const name = topicName(uniqueName('t'));
    await withAdmin(brokers, (admin) =>
      admin.createTopics({
        topics: [
          {
            topic: name,
            numPartitions: 2,
            configEntries: [
              { name: 'retention.ms', value: '1000' },
              { name: 'cleanup.policy', value: 'compact,delete' },
            ],
          },
        ],
      }),
    );
    const spec = { name, partitions: 2, retention: null };
    const described = await log.createTopic(spec);
    await log.createTopic(spec);
    expect(described.differences).toEqual([
      { setting: 'cleanup.policy', declared: 'delete', actual: 'compact,delete' },
      { setting: 'retention.ms', declared: '-1', actual: '1000' },
    ]);
    expect(warnings).toHaveLength(1);
    expect(warnings[0]).toContain(`topic ${name} stands otherwise than declared: cleanup.policy is compact,delete`);
    expect(at(await log.describeTopic(name)).retention).toEqual({ ms: 1000 });
  });

  it('that Kafka refuses is an error with its reason', async () => {
    const { log } = await clients.open({ replicationFactor: 7 });
    const name = topicName(uniqueName('t'));
    await expect(log.createTopic({ name, partitions: 1, retention: null })).rejects.toSatisfy(code('KAPPA_TOPIC_REFUSED'));
  });

  it('stamps records with the time of the append, whatever clock their producer has', async () => {
    const { log } = await clients.open();
    const topic = await newTopic(log, 1);
    const [config] = await withAdmin(brokers, async (admin) => {
      const { resources } = await admin.describeConfigs({
        resources: [{ type: 2, name: topic, configNames: ['message.timestamp.type'] }],
        includeSynonyms: false,
      });
      return resources[0]?.configEntries ?? [];
    });
    expect(config?.configValue).toBe('LogAppendTime');
  });

  it('is read on from where its begin has moved to', async () => {
    const { log } = await clients.open();
    const topic = await newTopic(log, 1);
    await log.append(records(topic, 0, 10));
    await deleteRecords(brokers, topic, 0, 10);
    expect(await log.offsets(topic)).toEqual([{ partition: 0, begin: 10, end: 10 }]);
    expect(await readAll(log, topic)).toEqual([]);
    await log.append([record(topic, 0, 'new')]);
    expect((await readAll(log, topic)).map(({ offset }) => offset)).toEqual([10]);
  });

  it('tells a follower whose place was removed under it', async () => {
    const { log } = await clients.open();
    const topic = await newTopic(log, 1);
    await log.append(records(topic, 0, 10));
    await deleteRecords(brokers, topic, 0, 5);
    const key = partitionKey(topic, 0);
    const following = (async () => {
      for await (const batch of log.read({ from: { [key]: 2 } })) expect(batch.records).toEqual([]);
    })();
    await expect(following).rejects.toSatisfy(code('KAPPA_LOG_TRUNCATED'));
  });
});
