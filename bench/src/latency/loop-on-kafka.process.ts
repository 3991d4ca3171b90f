import { Kafka, logLevel, type EachBatchPayload, type Producer } from 'kafkajs';
import pg from 'pg';
import { playPart } from '../part.js';
import { measure, type LatencyPart } from './load.js';
import { CREATE_ROWS, ROWS, UPSERT, upsertOf, type Counted } from './loop-table.js';

const CREATE = `
${CREATE_ROWS};
create table if not exists bench.events (pos bigserial primary key, value text not null)`;
const INSERT = 'insert into bench.events (value) values ($1) returning pos';

interface Inserted {
  readonly id: string;
  readonly value: string;
  readonly pos: string;
}

/**
 * What one writes by hand with kafkajs: a plain insert; what was inserted while a transaction commits goes into the next one, over
 * all partitions, with the position as a record; a consumer that reads committed; a multi-row upsert a batch with its checkpoint.
 * It knows its own inserts and recovers from nothing.
 */
playPart(async (part: LatencyPart) => {
  const pool = new pg.Pool({ connectionString: part.databaseUrl, max: 10 });
  await pool.query(CREATE);
  const kafka = new Kafka({
    brokers: [...part.brokers],
    logLevel: logLevel.NOTHING,
    retry: { initialRetryTime: 20, retries: 10, maxRetryTime: 500 },
  });
  const topic = `bare-${part.run}`;
  const positions = `bare-positions-${part.run}`;
  const admin = kafka.admin();
  await admin.connect();
  await admin.createTopics({
    topics: [
      { topic, numPartitions: part.partitions },
      { topic: positions, numPartitions: 1 },
    ],
  });
  await admin.disconnect();
  const consumer = kafka.consumer({ groupId: topic, maxWaitTimeInMs: 3_000, readUncommitted: false });
  await consumer.connect();
  await consumer.subscribe({ topics: [topic], fromBeginning: true });
  await consumer.run({
    autoCommit: false,
    partitionsConsumedConcurrently: part.partitions,
    eachBatch: (payload) => apply(pool, part.run, payload),
  });
  const relay = new BareRelay(await transactionalProducers(kafka, topic), topic, positions);
  const side = {
    table: ROWS,
    append: async (id: string, seq: number, text: string) => {
      const value = JSON.stringify({ id, seq, text });
      const { rows } = await pool.query<{ pos: string }>({ name: 'insert', text: INSERT, values: [value] });
      relay.offer({ id, value, pos: rows[0]?.pos ?? '' });
    },
    stop: async () => {
      await consumer.disconnect();
      await relay.stop();
      await pool.end();
    },
  };
  try {
    return await measure(side, part);
  } finally {
    await side.stop();
  }
});

async function apply(pool: pg.Pool, run: string, { batch }: EachBatchPayload): Promise<void> {
  const events = batch.messages.map(({ value }) => JSON.parse(String(value)) as Counted);
  if (events.length === 0) return;
  const next = String(BigInt(batch.lastOffset()) + 1n);
  await pool.query({ name: 'upsert', text: UPSERT, values: [...upsertOf(run, batch.partition, next, events)] });
}

async function transactionalProducers(kafka: Kafka, topic: string): Promise<readonly Producer[]> {
  const producers = ['a', 'b'].map((turn) =>
    kafka.producer({
      transactionalId: `${topic}-${turn}`,
      idempotent: true,
      maxInFlightRequests: 1,
      retry: { initialRetryTime: 5, factor: 0, multiplier: 1, retries: 50 },
    }),
  );
  for (const producer of producers) await producer.connect();
  return producers;
}

class BareRelay {
  #waiting: Inserted[] = [];
  #sending: Promise<void> | null = null;
  #turn = 0;

  constructor(
    private readonly producers: readonly Producer[],
    private readonly topic: string,
    private readonly positions: string,
  ) {}

  offer(inserted: Inserted): void {
    this.#waiting.push(inserted);
    this.#sending ??= this.#send().finally(() => (this.#sending = null));
  }

  async stop(): Promise<void> {
    await this.#sending;
    for (const producer of this.producers) await producer.disconnect();
  }

  async #send(): Promise<void> {
    while (this.#waiting.length > 0) {
      const sent = this.#waiting.splice(0);
      const producer = this.producers[this.#turn++ % this.producers.length];
      const transaction = await producer?.transaction();
      await transaction?.sendBatch({
        topicMessages: [
          { topic: this.topic, messages: sent.map(({ id, value }) => ({ key: id, value })) },
          { topic: this.positions, messages: [{ key: 'pos', value: sent.at(-1)?.pos ?? '' }] },
        ],
      });
      await transaction?.commit();
    }
  }
}
