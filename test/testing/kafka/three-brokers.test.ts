import { ConfigResourceTypes } from 'kafkajs';
import { expect, it, vi } from 'vitest';
import { startKafka } from '../../../src/testing/index.js';
import { describeWithOwnKafka } from '../../support/kafka.js';
import { clientOf, leaderOf, leadersOf, newTopic, read, write } from './round-trip.js';

const internal = ['__transaction_state', '__consumer_offsets'];
const moved = { timeout: 60_000, interval: 200 };

await describeWithOwnKafka('three brokers', () => {
  it('go on while one of them is dead, and take it back', async () => {
    const kafka = await startKafka({ brokers: 3, from: ['docker', 'java'] });
    try {
      const client = clientOf(kafka.brokers);
      const topic = await newTopic(client);
      await write(client, topic, ['one']);
      const killed = await leaderOf(client, topic);
      await kafka.kill(killed);
      // A client of its own: kafkajs gives up on a dead coordinator that its metadata still names.
      const living = clientOf(kafka.brokers.filter((_, id) => id !== killed));
      await vi.waitFor(async () => expect(await leadersOf(living, [topic, ...internal])).not.toContain(killed), moved);
      await write(living, topic, ['two']);
      await kafka.restart(killed);
      expect(await read(client, topic, 2)).toEqual(['one', 'two']);

      const admin = client.admin();
      await admin.connect();
      const { topics } = await admin.fetchTopicMetadata({ topics: [topic, ...internal] });
      for (const { partitions } of topics) for (const { replicas } of partitions) expect(replicas).toHaveLength(3);
      const setting = { type: ConfigResourceTypes.TOPIC, name: topic, configNames: ['min.insync.replicas'] };
      const { resources } = await admin.describeConfigs({ resources: [setting], includeSynonyms: false });
      expect(resources[0]?.configEntries).toMatchObject([{ configValue: '2' }]);
      await admin.disconnect();
      await expect(kafka.kill(3)).rejects.toThrow('KAPPA_KAFKA_NO_BROKER: there is no broker 3. Name one from 0 to 2.');
    } finally {
      await kafka.stop();
    }
  }, 180_000);
});
