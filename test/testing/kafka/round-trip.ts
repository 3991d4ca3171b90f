import { randomBytes } from 'node:crypto';
import { Kafka, logLevel, type KafkaConfig } from 'kafkajs';

/** A client as an application has it: it retries, for longer than a new leader takes. */
export function clientOf(brokers: readonly string[], settings: Partial<KafkaConfig> = {}): Kafka {
  const retry = { initialRetryTime: 20, maxRetryTime: 500, retries: 60 };
  return new Kafka({
    clientId: 'test',
    brokers: [...brokers],
    logLevel: logLevel.NOTHING,
    retry,
    requestTimeout: 5_000,
    ...settings,
  });
}

/** A new topic of one partition, replicated as the cluster does by default. */
export async function newTopic(kafka: Kafka): Promise<string> {
  const topic = `topic-${randomBytes(6).toString('hex')}`;
  const admin = kafka.admin();
  await admin.connect();
  await admin.createTopics({ topics: [{ topic, numPartitions: 1, replicationFactor: -1 }], waitForLeaders: true });
  await admin.disconnect();
  return topic;
}

/** Writes values in one transaction. */
export async function write(kafka: Kafka, topic: string, values: readonly string[]): Promise<void> {
  const producer = kafka.producer({ transactionalId: `writer-${topic}`, idempotent: true, maxInFlightRequests: 1 });
  await producer.connect();
  const transaction = await producer.transaction();
  await transaction.send({ topic, messages: values.map((value) => ({ value, partition: 0 })) });
  await transaction.commit();
  await producer.disconnect();
}

/** Reads the first `count` committed values, in a group of its own. */
export async function read(kafka: Kafka, topic: string, count: number): Promise<string[]> {
  const consumer = kafka.consumer({ groupId: `reader-${topic}-${randomBytes(4).toString('hex')}` });
  await consumer.connect();
  await consumer.subscribe({ topic, fromBeginning: true });
  const values: string[] = [];
  await new Promise<void>((done, failed) => {
    consumer
      .run({
        eachMessage: async ({ message }) => {
          values.push(String(message.value));
          if (values.length === count) done();
        },
      })
      .catch(failed);
  });
  await consumer.disconnect();
  return values;
}

export async function topicsOf(kafka: Kafka): Promise<readonly string[]> {
  const admin = kafka.admin();
  await admin.connect();
  try {
    return await admin.listTopics();
  } finally {
    await admin.disconnect();
  }
}

/** The broker that leads the only partition of a topic. */
export async function leaderOf(kafka: Kafka, topic: string): Promise<number> {
  const [leader = -1] = await leadersOf(kafka, [topic]);
  return leader;
}

/** The brokers that lead the partitions of topics, one a partition. */
export async function leadersOf(kafka: Kafka, topics: string[]): Promise<readonly number[]> {
  const admin = kafka.admin();
  await admin.connect();
  try {
    const metadata = await admin.fetchTopicMetadata({ topics });
    return metadata.topics.flatMap(({ partitions }) => partitions.map(({ leader }) => leader));
  } finally {
    await admin.disconnect();
  }
}
