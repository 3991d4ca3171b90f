import { CompressionTypes, Kafka, logLevel, type KafkaMessage } from 'kafkajs';
import { afterEach, expect, it } from 'vitest';
import { newTopic, readAll, textOf, uniqueName } from '../../../src/testing/log-conformance/log-under-test.js';
import { describeOnKafka } from '../../support/kafka.js';
import { KafkaClients } from './kafka-clients.js';

await describeOnKafka('a plain client of Kafka', 1, (brokers) => {
  const clients = new KafkaClients(brokers);
  const plain = new Kafka({ brokers: [...brokers], logLevel: logLevel.NOTHING });
  afterEach(() => clients.close());

  it('reads keys, values and headers as they were appended', async () => {
    const { log } = await clients.open();
    const topic = await newTopic(log, 2);
    const headers = { ce_type: 'fine.created', ce_subject: 'Zürich', 'content-type': 'application/json' };
    await log.append([
      { topic, partition: 0, key: 'fine-17', value: Buffer.from('{"amount":"12.50"}'), headers },
      { topic, partition: 1, key: 'fine-18', value: null, headers: {} },
    ]);
    const consumer = plain.consumer({ groupId: uniqueName('g') });
    await consumer.connect();
    await consumer.subscribe({ topic, fromBeginning: true });
    const messages = await new Promise<KafkaMessage[]>((resolve) => {
      const seen: KafkaMessage[] = [];
      void consumer.run({
        eachMessage: async ({ message }) => {
          if (seen.push(message) === 2) resolve(seen);
        },
      });
    });
    await consumer.disconnect();
    const [fine, tombstone] = messages.sort((a, b) => Number(a.value === null) - Number(b.value === null));
    expect(fine?.key?.toString()).toBe('fine-17');
    expect(fine?.value?.toString()).toBe('{"amount":"12.50"}');
    expect(Object.fromEntries(Object.entries(fine?.headers ?? {}).map(([name, value]) => [name, String(value)]))).toEqual(
      headers,
    );
    expect(tombstone?.value).toBe(null);
  });

  it('writes records that are read, compressed ones and those without key or headers included', async () => {
    const { log } = await clients.open();
    const topic = await newTopic(log, 1);
    const producer = plain.producer();
    await producer.connect();
    await producer.send({ topic, messages: [{ value: 'bare', partition: 0 }] });
    await producer.send({
      topic,
      compression: CompressionTypes.GZIP,
      messages: ['x', 'y', 'z'].map((text) => ({ key: text, value: text.repeat(500), partition: 0, headers: { of: text } })),
    });
    await producer.disconnect();
    const kept = await readAll(log, topic);
    expect(kept.map((record) => textOf(record).slice(0, 4))).toEqual(['bare', 'xxxx', 'yyyy', 'zzzz']);
    expect(kept.map(({ key }) => key)).toEqual([null, 'x', 'y', 'z']);
    expect(kept.map(({ headers }) => headers['of'])).toEqual([undefined, 'x', 'y', 'z']);
    expect(kept.map(({ offset }) => offset)).toEqual([0, 1, 2, 3]);
  });
});
