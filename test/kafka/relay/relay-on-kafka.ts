import { randomBytes } from 'node:crypto';
import { Database } from '../../../src/database/database.js';
import { event } from '../../../src/kernel/event.js';
import type { Logger } from '../../../src/kernel/logger.js';
import { topicName, type TopicName } from '../../../src/kernel/names.js';
import { partitionKey } from '../../../src/kernel/position.js';
import { LOG_OFFSET_HEADER } from '../../../src/kernel/record.js';
import { type } from '../../../src/kernel/shape.js';
import { topic } from '../../../src/kernel/topic.js';
import { kafka } from '../../../src/log/kafka/index.js';
import type { EventLog } from '../../../src/log/event-log.js';
import { PostgresLog } from '../../../src/log/postgres/postgres-log.js';
import { aggregate, type AggregateDefinition } from '../../../src/modules/aggregates/aggregate.js';
import { Relay } from '../../../src/modules/aggregates/relay/relay.js';
import { RelayOperations } from '../../../src/modules/aggregates/relay/relay-operations.js';
import { relayedTopics } from '../../../src/modules/aggregates/relay/relayed-topics.js';
import { HeardLogger } from '../../aggregates/relay/relay-house.js';
import { WriteSide } from '../../aggregates/support/write-side.js';

export const PARTITIONS = 4;

export class Count {
  constructor(
    readonly tallyId: string,
    readonly n: number,
  ) {}
}

/** An aggregate on a topic that no other test uses. */
export function tallyOn(name: string): AggregateDefinition {
  const Counted = event('tally.counted', type<{ n: number }>());
  const tallies = topic(name, { partitions: PARTITIONS, events: [Counted] });
  return aggregate({ name: 'tally', topic: tallies, id: 'tallyId', initialState: () => ({ sum: 0 }) })
    .evolve({ 'tally.counted': (state, { data }) => ({ sum: state.sum + data.n }) })
    .decide(Count, ({ n }) => [Counted({ n })]);
}

export interface Relaying {
  readonly relay: Relay;
  readonly log: EventLog;
  stop(): Promise<void>;
}

/** A relay as one process has it. */
export async function startRelay(
  url: string,
  brokers: readonly string[],
  options: {
    readonly logger: Logger;
    readonly sessionTimeoutMs?: number;
    readonly topicsIntervalMs?: number;
    readonly retryMs?: number;
  },
): Promise<Relaying> {
  const { logger, sessionTimeoutMs = 10_000, topicsIntervalMs = 5_000, retryMs = 30_000 } = options;
  const database = new Database({ url, poolSize: 4 });
  const outbox = new PostgresLog(database, { sessionTimeoutMs, heartbeatMs: 100 });
  const log = openKafka(brokers, database, { logger, retryMs });
  await outbox.start();
  await log.start();
  const relay = new Relay({ database, outbox, log, logger, topicsIntervalMs });
  relay.start();
  return {
    relay,
    log,
    stop: async () => {
      await relay.stop();
      await log.stop();
      await outbox.stop();
      await database.stop();
    },
  };
}

function openKafka(
  brokers: readonly string[],
  database: Database,
  { logger, retryMs = 30_000, relayed }: { readonly logger: Logger; readonly retryMs?: number; readonly relayed?: boolean },
): EventLog {
  return kafka({ brokers, retryMs, connectTimeoutMs: 60_000 }).open({
    database,
    schema: 'kappa',
    clientId: 'relay-test',
    logger,
    relayed: async (name) => relayed ?? (await relayedTopics(database)).includes(name),
  });
}

/** Aggregates that append to a PostgreSQL of their own, to be relayed to brokers. */
export class RelayOnKafka {
  readonly logger = new HeardLogger();
  readonly #stops: (() => Promise<unknown>)[] = [];
  #written = 0;

  private constructor(
    readonly topic: TopicName,
    readonly url: string,
    readonly brokers: readonly string[],
    private readonly side: WriteSide,
    private readonly execute: (command: object) => Promise<unknown>,
    /** Past any proxy, if there is one. */
    readonly log: EventLog,
    /** What Kafka itself holds: its own offsets, and every record that readers of committed records are given. */
    readonly raw: EventLog,
    readonly operations: RelayOperations,
  ) {}

  /** `direct`: the brokers' own addresses, where relays go through a proxy. */
  static async start(brokers: readonly string[], direct: readonly string[] = brokers): Promise<RelayOnKafka> {
    const side = await WriteSide.start();
    const name = topicName(`tallies-${randomBytes(6).toString('hex')}`);
    const writer = await side.writer({ aggregates: [tallyOn(name)] });
    const logger = new HeardLogger();
    const log = openKafka(direct, side.database, { logger });
    const raw = openKafka(direct, side.database, { logger, relayed: false });
    await log.start();
    await raw.start();
    await log.createTopic({ name, partitions: PARTITIONS, retention: null });
    const operations = new RelayOperations({ database: side.database, outbox: writer.log, log });
    const house = new RelayOnKafka(
      name,
      side.url,
      brokers,
      side,
      (command) => writer.commands.execute(command),
      log,
      raw,
      operations,
    );
    house.#stops.push(
      () => side.stop(),
      () => log.stop(),
      () => raw.stop(),
    );
    return house;
  }

  async relay(options: { readonly topicsIntervalMs?: number; readonly retryMs?: number } = {}): Promise<Relaying> {
    const relaying = await startRelay(this.url, this.brokers, { logger: this.logger, ...options });
    this.#stops.push(relaying.stop);
    return relaying;
  }

  /** Appends so many events to as many streams as there are partitions, and more. */
  async write(count: number): Promise<void> {
    const from = this.#written;
    this.#written += count;
    await Promise.all(Array.from({ length: count }, (_, n) => this.execute(new Count(`tally-${(from + n) % 24}`, n))));
  }

  /** Resolves when all that is appended now stands in the topic. */
  async relayed(): Promise<void> {
    const { rows } = await this.side.database.query<{ partition: number; end: number }>(
      `select r.partition, max(r."offset") + 1 as "end" from log_records r group by r.partition`,
    );
    const to = Object.fromEntries(rows.map(({ partition, end }) => [partitionKey(this.topic, partition), end]));
    const reached: Record<string, number> = {};
    const enough = new AbortController();
    for await (const { topic: name, partition, next } of this.log.read({
      from: Object.fromEntries(Object.keys(to).map((key) => [key, 0])),
      signal: enough.signal,
    })) {
      reached[partitionKey(name, partition)] = next;
      if (Object.entries(to).every(([key, end]) => (reached[key] ?? 0) >= end)) enough.abort();
    }
  }

  /** The log offsets that the records of each partition bear, in Kafka's order. */
  async logOffsets(): Promise<readonly (readonly number[])[]> {
    const bounds = await this.raw.offsets(this.topic);
    const found: number[][] = bounds.map(() => []);
    const key = (partition: number) => partitionKey(this.topic, partition);
    for await (const { partition, records } of this.raw.read({
      from: Object.fromEntries(bounds.map(({ partition, begin }) => [key(partition), begin])),
      to: Object.fromEntries(bounds.map(({ partition, end }) => [key(partition), end])),
    })) {
      for (const { headers } of records) found[partition]?.push(Number(headers[LOG_OFFSET_HEADER]));
    }
    return found;
  }

  /** Every row once, in order: as Kafka has them, and each part of each record. */
  async problems(): Promise<readonly string[]> {
    const problems = (await this.logOffsets()).flatMap((offsets, partition) =>
      offsets.flatMap((offset, index) => (offset === index ? [] : [`${partition}: ${offset} at ${index}`])),
    );
    for await (const step of this.operations.verify()) {
      if (!step.done) continue;
      problems.push(...step.samples.map(({ partition, offset, what }) => `${partition}:${offset} ${what}`));
      if (step.compared !== this.#written) problems.push(`${step.compared} of ${this.#written} rows were compared`);
    }
    return problems;
  }

  /** Kafka's own ends, by topic. */
  async ends(...topics: readonly TopicName[]): Promise<readonly number[]> {
    const bounds = await Promise.all(topics.map((name) => this.raw.offsets(name)));
    return bounds.flat().map(({ end }) => end);
  }

  async stop(): Promise<void> {
    for (const stop of this.#stops.splice(0).reverse()) await stop();
  }
}
