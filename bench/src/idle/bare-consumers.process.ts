import { Kafka, logLevel, type Consumer } from 'kafkajs';
import { holdPart } from '../part.js';

export interface BareConsumersPart {
  readonly brokers: readonly string[];
  readonly topic: string;
  readonly consumers: number;
}

/** As many kafkajs consumers, with kafkajs's own defaults, each in a group of its own, on a topic in which nothing happens. */
holdPart(async ({ brokers, topic, consumers }: BareConsumersPart) => {
  const kafka = new Kafka({ brokers: [...brokers], logLevel: logLevel.NOTHING });
  const started: Consumer[] = [];
  for (let number = 0; number < consumers; number += 1) {
    const consumer = kafka.consumer({ groupId: `bare-idle-${number}` });
    await consumer.connect();
    await consumer.subscribe({ topics: [topic], fromBeginning: true });
    const joined = new Promise<void>((resolve) => consumer.on(consumer.events.GROUP_JOIN, () => resolve()));
    await consumer.run({ eachBatch: () => Promise.resolve() });
    await joined;
    started.push(consumer);
  }
  return {
    report: null,
    stop: async () => {
      for (const consumer of started) await consumer.disconnect();
    },
  };
});
