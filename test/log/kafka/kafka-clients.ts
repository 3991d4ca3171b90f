import { Kafka, logLevel, type Admin } from 'kafkajs';
import type { EventLog } from '../../../src/log/event-log.js';
import { KafkaLog, type KafkaContext } from '../../../src/log/kafka/kafka-log.js';
import { resolveKafkaOptions, type KafkaOptions } from '../../../src/log/kafka/kafka-options.js';
import { silentLogger } from '../../../src/kernel/logger.js';
import { recordBytes } from '../../../src/kernel/record.js';
import { partitionKey } from '../../../src/kernel/position.js';
import type { TopicName } from '../../../src/kernel/names.js';
import type { TopicDescription } from '../../../src/log/event-log.js';
import { WireTap } from './wire-tap.js';

/** A client of the log, as a process of its own would have it. */
export interface KafkaClient {
  readonly log: KafkaLog;
  readonly wire: WireTap;
}

/** Short, so that tests do not wait for leases; brokers that are not ours mostly allow no less than six seconds. */
export const QUICK: Partial<KafkaOptions> = {
  sessionTimeoutMs: process.env['KAFKA_BROKERS'] ? 6_000 : 1_500,
  heartbeatMs: 100,
};

/** Any number of clients of one cluster. */
export class KafkaClients {
  readonly #clients: KafkaClient[] = [];

  constructor(
    private readonly brokers: readonly string[],
    private readonly context: Partial<KafkaContext> = {},
  ) {}

  async open(options: Partial<KafkaOptions> = {}, context: Partial<KafkaContext> = {}): Promise<KafkaClient> {
    const wire = new WireTap();
    const log = new KafkaLog(
      resolveKafkaOptions({ brokers: this.brokers, ...QUICK, socketFactory: wire.factory, ...options }),
      { clientId: 'tests', logger: silentLogger, relayed: async () => false, ...this.context, ...context },
    );
    const client = { log, wire };
    this.#clients.push(client);
    await log.start();
    return client;
  }

  of(log: EventLog): KafkaClient {
    const client = this.#clients.find((each) => each.log === log);
    if (!client) throw new Error('not a client of this cluster');
    return client;
  }

  async close(): Promise<void> {
    await Promise.all(this.#clients.splice(0).map(({ log }) => log.stop()));
  }
}

/** With Kafka's own client, beside the driver. */
export async function withAdmin<T>(brokers: readonly string[], work: (admin: Admin) => Promise<T>): Promise<T> {
  const admin = new Kafka({ brokers: [...brokers], logLevel: logLevel.NOTHING }).admin();
  await admin.connect();
  try {
    return await work(admin);
  } finally {
    await admin.disconnect();
  }
}

/**
 * Removes what topics need not keep as brokers do, but now and to the record: they themselves look every few minutes and remove
 * whole segments of a megabyte at least.
 */
export async function enforceRetention(log: EventLog, brokers: readonly string[]): Promise<void> {
  for (const topic of await log.listTopics()) {
    if (!topic.retention) continue;
    for (const { partition, begin, end } of await log.offsets(topic.name)) {
      const until = await keptFrom(log, topic, partition, begin, end);
      if (until > begin) await deleteRecords(brokers, topic.name, partition, until);
    }
  }
}

export async function deleteRecords(
  brokers: readonly string[],
  topic: TopicName,
  partition: number,
  until: number,
): Promise<void> {
  await withAdmin(brokers, async (admin) => {
    // It knows no leader of a topic that it was not asked about before.
    await admin.fetchTopicOffsets(topic);
    await admin.deleteTopicRecords({ topic, partitions: [{ partition, offset: String(until) }] });
  });
}

async function keptFrom(
  log: EventLog,
  { name, retention }: TopicDescription,
  partition: number,
  begin: number,
  end: number,
): Promise<number> {
  const key = partitionKey(name, partition);
  const records = [];
  for await (const batch of log.read({ from: { [key]: begin }, to: { [key]: end } })) records.push(...batch.records);
  let excess = records.reduce((sum, record) => sum + recordBytes(record), 0) - (retention?.bytes ?? Infinity);
  const oldest = Date.now() - (retention?.ms ?? Infinity);
  let kept = begin;
  for (const record of records) {
    const size = recordBytes(record);
    if (record.timestampUs / 1000 >= oldest && size > excess) break;
    excess -= size;
    kept = record.offset + 1;
  }
  return kept;
}
