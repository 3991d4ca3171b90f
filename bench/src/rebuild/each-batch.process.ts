import { performance } from 'node:perf_hooks';
import { Kafka, logLevel } from 'kafkajs';
import { playPart } from '../part.js';
import type { RebuildReport } from './side.js';

export interface EachBatchPart {
  readonly brokers: readonly string[];
  readonly topic: string;
  readonly events: number;
}

/**
 * The ceiling of kafkajs: `eachBatch` reads a topic and parses every value in one thread, writes nothing. Its time begins when it
 * has joined its group, which takes seconds by itself.
 */
playPart(async ({ brokers, topic, events }: EachBatchPart): Promise<RebuildReport> => {
  const kafka = new Kafka({ brokers: [...brokers], logLevel: logLevel.NOTHING });
  const consumer = kafka.consumer({ groupId: `bench-each-batch-${process.pid}` });
  await consumer.connect();
  await consumer.subscribe({ topics: [topic], fromBeginning: true });
  let began = 0;
  consumer.on(consumer.events.GROUP_JOIN, () => (began = performance.now()));
  let read = 0;
  let sum = 0;
  const seconds = await new Promise<number>((resolve, reject) => {
    const eachBatch = ({ batch }: { batch: { messages: readonly { value: Buffer | null }[] } }): Promise<void> => {
      for (const { value } of batch.messages) sum += (JSON.parse(value?.toString() ?? 'null') as { n: number }).n;
      read += batch.messages.length;
      if (read >= events) resolve((performance.now() - began) / 1_000);
      return Promise.resolve();
    };
    consumer.run({ autoCommit: false, eachBatch }).catch(reject);
  });
  await consumer.disconnect();
  if (read !== events || sum !== (events * (events - 1)) / 2) throw new Error(`${read} events have the sum ${sum}`);
  return { events, seconds, built: [] };
});
