import { Database } from '../../../src/database/database.js';
import type { TopicName } from '../../../src/kernel/names.js';
import { partitionKey, type PartitionKey } from '../../../src/kernel/position.js';
import type { LogRecord } from '../../../src/kernel/record.js';
import type { CommitOutcome, EventLog, LogSession, TopicDescription, TopicSpec } from '../../../src/log/event-log.js';
import { MemoryCluster } from '../../../src/log/memory/memory-cluster.js';
import { MemoryLog } from '../../../src/log/memory/memory-log.js';
import { PostgresLog, type PostgresLogOptions } from '../../../src/log/postgres/postgres-log.js';
import { RELAY_TOPIC } from '../../../src/modules/aggregates/relay/relay-record.js';
import { Relay, type RelayOptions } from '../../../src/modules/aggregates/relay/relay.js';
import { collect, WriteSide, type Writer } from '../support/write-side.js';
import { counters } from '../support/counter.js';

type CommitFault = 'before' | 'after' | null;

/** What a test lets go wrong at the log that is relayed to. */
export interface Faults {
  /** Asked before each commit of a session; what it throws or returns comes instead of the outcome, the commit itself is skipped for `before`. */
  commit?(task: string): CommitFault | Promise<CommitFault>;
  /** Asked before each session is opened. */
  open?(task: string): Promise<void> | void;
}

/** The memory log as the relay's target: it keeps all positions where Kafka would compact, and fails where a test wants it. */
export class RelayTarget extends MemoryLog {
  faults: Faults = {};
  /** Tasks of sessions that were opened, and of transactions that were committed, in order. */
  readonly opened: string[] = [];
  readonly commits: string[] = [];

  override createTopic(spec: TopicSpec): Promise<TopicDescription> {
    return super.createTopic({ ...spec, compaction: false });
  }

  override async openSession(task: string): Promise<LogSession> {
    await this.faults.open?.(task);
    this.opened.push(task);
    const session = await super.openSession(task);
    return {
      task,
      close: () => session.close(),
      begin: () => {
        const transaction = session.begin();
        const commit = async (): Promise<CommitOutcome> => {
          const fault = (await this.faults.commit?.(task)) ?? null;
          if (fault !== 'before') {
            const outcome = await transaction.commit();
            if (fault === null) {
              this.commits.push(task);
              return outcome;
            }
          } else await transaction.abort();
          return { outcome: 'unknown', cause: new Error('the connection was lost') };
        };
        return {
          append: (records) => transaction.append(records),
          commitOffsets: (group, position) => transaction.commitOffsets(group, position),
          abort: () => transaction.abort(),
          commit,
        };
      },
    };
  }
}

/** Tells what was logged, and lets a test wait for it. */
export class HeardLogger {
  readonly lines: string[] = [];
  readonly #waiting = new Set<{ readonly pattern: RegExp; readonly heard: () => void }>();
  readonly log = (line: string): void => this.#hear(line);
  readonly warn = (line: string): void => this.#hear(line);
  readonly error = (line: string): void => this.#hear(line);

  said(pattern: RegExp): Promise<void> {
    if (this.lines.some((line) => pattern.test(line))) return Promise.resolve();
    return new Promise((heard) => this.#waiting.add({ pattern, heard }));
  }

  #hear(line: string): void {
    this.lines.push(line);
    for (const { pattern, heard } of this.#waiting) if (pattern.test(line)) heard();
  }
}

/** Aggregates that append to PostgreSQL, a memory log that is relayed to, and as many relays as a test needs. */
export class RelayHouse {
  readonly logger = new HeardLogger();
  readonly #stops: (() => Promise<unknown>)[] = [];

  private constructor(
    readonly side: WriteSide,
    readonly writer: Writer,
    private readonly cluster: MemoryCluster,
    /** Where tests look at what was relayed. */
    readonly log: RelayTarget,
  ) {}

  static async start(): Promise<RelayHouse> {
    const side = await WriteSide.start();
    const writer = await side.writer();
    const cluster = new MemoryCluster();
    const log = new RelayTarget({ cluster });
    await log.start();
    const house = new RelayHouse(side, writer, cluster, log);
    house.#stops.push(
      () => side.stop(),
      () => log.stop(),
    );
    return house;
  }

  /** A relay as another process has it: with connections of its own. */
  async relay(
    options: Partial<RelayOptions> & {
      readonly outboxOptions?: PostgresLogOptions;
      readonly url?: string;
      readonly faults?: Faults;
    } = {},
  ): Promise<{
    readonly relay: Relay;
    readonly log: RelayTarget;
    stop(): Promise<void>;
  }> {
    const { outboxOptions, url = this.side.url, faults = {}, ...rest } = options;
    const database = new Database({ url, poolSize: 4 });
    const outbox = new PostgresLog(database, { heartbeatMs: 50, ...outboxOptions });
    const log = new RelayTarget({ cluster: this.cluster });
    log.faults = faults;
    await outbox.start();
    await log.start();
    const relay = new Relay({ database, outbox, log, logger: this.logger, ...rest });
    const stop = async (): Promise<void> => {
      await relay.stop();
      await outbox.stop();
      await log.stop();
      await database.stop();
    };
    this.#stops.push(stop);
    relay.start();
    return { relay, log, stop };
  }

  /** Resolves when as many records as the outbox has rows now stand in the topic. */
  async relayed(topic: TopicName = counters.name): Promise<void> {
    const ends = await endsOf(this.writer.log, topic);
    await this.reached(topic, ends);
  }

  async reached(topic: TopicName, ends: Readonly<Record<PartitionKey, number>>): Promise<void> {
    const partitions = (await this.writer.log.describeTopic(topic))?.partitions ?? 1;
    await this.log.createTopic({ name: topic, partitions, retention: null });
    // One that has seen nothing: another would remember ends of a topic that was deleted since.
    const log = new RelayTarget({ cluster: this.cluster });
    await log.start();
    await collect(log.read({ from: zeros(ends), to: ends }));
    await log.stop();
  }

  /** A topic of the log is gone, with all its records. */
  forget(topic: TopicName): void {
    (this.cluster.topics as Map<TopicName, unknown>).delete(topic);
  }

  forgetPositions(): void {
    this.forget(RELAY_TOPIC);
  }

  /** What stands in the topic, partition by partition. */
  async records(topic: TopicName = counters.name): Promise<readonly LogRecord[]> {
    return all(this.log, topic);
  }

  async rows(topic: TopicName = counters.name): Promise<readonly LogRecord[]> {
    return all(this.writer.log, topic);
  }

  async stop(): Promise<void> {
    for (const stop of this.#stops.splice(0).reverse()) await stop();
  }
}

async function endsOf(log: EventLog, topic: TopicName): Promise<Readonly<Record<PartitionKey, number>>> {
  return Object.fromEntries((await log.offsets(topic)).map(({ partition, end }) => [partitionKey(topic, partition), end]));
}

function zeros(ends: Readonly<Record<PartitionKey, number>>): Readonly<Record<PartitionKey, number>> {
  return Object.fromEntries(Object.keys(ends).map((key) => [key, 0]));
}

async function all(log: EventLog, topic: TopicName): Promise<readonly LogRecord[]> {
  const to = await endsOf(log, topic);
  const records: LogRecord[] = [];
  for await (const batch of log.read({ from: zeros(to), to })) records.push(...batch.records);
  return records.sort((a, b) => a.partition - b.partition || a.offset - b.offset);
}
