import { randomUUID } from 'node:crypto';
import { Kafka, logLevel, type Admin, type KafkaMessage } from 'kafkajs';
import type { LoggedEvent } from '../check/evidence.js';
import { TOPICS } from '../shop/definitions.js';

const WITHIN_MS = 20_000;
/** For partitions that end already, while others are read: by default a broker holds a fetch of such for five seconds. */
const FETCH_WAIT_MS = 50;

/**
 * What a plain Kafka client finds in the topics, read committed from begin to end. The offset is the log's, which the record
 * bears as a header; the order is Kafka's.
 */
export async function readKafkaTopics(brokers: readonly string[]): Promise<readonly LoggedEvent[]> {
  const kafka = new Kafka({ clientId: 'faults-check', brokers: [...brokers], logLevel: logLevel.NOTHING });
  const admin = kafka.admin();
  await admin.connect();
  const ends = await endsOf(admin);
  await admin.disconnect();
  const events: LoggedEvent[] = [];
  const groupId = `faults-check-${randomUUID()}`;
  const consumer = kafka.consumer({ groupId, readUncommitted: false, maxWaitTimeInMs: FETCH_WAIT_MS });
  await consumer.connect();
  let timer: NodeJS.Timeout | undefined;
  try {
    await consumer.subscribe({ topics: [...TOPICS], fromBeginning: true });
    const read = new Promise<void>((resolve, reject) => {
      timer = setTimeout(() => reject(new Error(`not read to its end: ${[...ends.keys()].join(', ')}`)), WITHIN_MS);
      // Told also of batches that hold nothing but transaction markers, which stand at the end of every partition.
      consumer.on(consumer.events.END_BATCH_PROCESS, ({ payload: { topic, partition, lastOffset } }) => {
        const place = `${topic}/${partition}`;
        if (BigInt(lastOffset) + 1n >= (ends.get(place) ?? 0n)) ends.delete(place);
        if (ends.size === 0) resolve();
      });
      if (ends.size === 0) resolve();
    });
    await consumer.run({
      autoCommit: false,
      eachBatch: async ({ batch: { topic, partition, messages } }) => {
        for (const message of messages) events.push(eventOf(topic, partition, message));
      },
    });
    await read;
    return events;
  } finally {
    clearTimeout(timer);
    await consumer.disconnect();
  }
}

/** The ends of partitions that hold something. */
async function endsOf(admin: Admin): Promise<Map<string, bigint>> {
  const ends = new Map<string, bigint>();
  for (const topic of TOPICS)
    for (const { partition, low, high } of await admin.fetchTopicOffsets(topic))
      if (BigInt(high) > BigInt(low)) ends.set(`${topic}/${partition}`, BigInt(high));
  return ends;
}

function eventOf(topic: string, partition: number, { headers = {}, value }: KafkaMessage): LoggedEvent {
  const header = (name: string): string => String(headers[name] ?? '');
  return {
    topic,
    partition,
    offset: Number(header('kappa-offset')),
    stream: `${header('ce_source')}/${header('ce_subject')}`,
    version: Number(header('ce_streamversion')),
    eventId: header('ce_id'),
    type: header('ce_type'),
    commandId: header('ce_causationid'),
    data: JSON.parse(String(value)) as Readonly<Record<string, unknown>>,
  };
}
