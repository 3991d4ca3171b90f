import type { Database } from '../../../database/database.js';
import { KappaError } from '../../../kernel/errors.js';
import type { Logger } from '../../../kernel/logger.js';
import { topicName, type TopicName } from '../../../kernel/names.js';
import { parsePartitionKey, partitionKey, type PartitionKey } from '../../../kernel/position.js';
import { Backoff, pause } from '../../../database/backoff.js';
import type { EventLog } from '../../../log/event-log.js';
import type { PollingMember } from '../../../log/groups/polling-member.js';
import type { PostgresLog } from '../../../log/postgres/postgres-log.js';
import { PartitionRelay, type PartitionLease, type PartitionRelayContext } from './partition-relay.js';
import { describeHealth } from './relay-health.js';
import { RelayPositions } from './relay-positions.js';
import { RELAY_GROUP } from './relay-record.js';
import type { RelayHealth } from './relay-state.js';
import { relayedTopics } from './relayed-topics.js';

/** What the relay needs of the log that rows are appended to. */
export type Outbox = Pick<PostgresLog, 'join' | 'identity' | 'offsets' | 'describeTopic' | 'read' | 'driver'>;

export interface RelayOptions {
  readonly database: Database;
  readonly outbox: Outbox;
  /** Where the rows go. */
  readonly log: EventLog;
  readonly logger: Logger;
  /** Records of one write at most. Default 1,000. */
  readonly writeRecords?: number;
  /** Bytes of one write at most; a larger record goes alone. Default 4 MiB. */
  readonly writeBytes?: number;
  /** Between two looks for topics that other processes bound aggregates to, in milliseconds. Default 5,000. */
  readonly topicsIntervalMs?: number;
}

/**
 * Copies the rows of the outbox to the log: in order, exactly once, each partition in one process at a time. A consumer group of
 * the outbox gives the leases; they are for liveness only. Safety rests on the writer of each partition, which fences every
 * earlier owner.
 *
 * At rest nothing is sent: it waits for the outbox to grow.
 */
export class Relay {
  readonly #partitions = new Map<PartitionKey, PartitionRelay>();
  /** No longer ours, but not at their end: another process owns the partition already. */
  readonly #leaving = new Set<Promise<void>>();
  readonly #ensured = new Map<TopicName, Promise<void>>();
  readonly #stopping = new AbortController();
  readonly #backoff = new Backoff();
  readonly #context: PartitionRelayContext;
  #databaseError: { readonly message: string; readonly since: Date } | null = null;
  #startedAt: Date | null = null;
  #done: Promise<void> | null = null;

  constructor(private readonly options: RelayOptions) {
    const { database, outbox, log, logger } = options;
    this.#context = {
      schema: database.schema,
      outbox,
      log,
      positions: new RelayPositions(log),
      limits: { records: options.writeRecords ?? 1_000, bytes: options.writeBytes ?? 4 * 1024 * 1024 },
      logger,
      ensureTopic: (topic) => this.#ensureTopic(topic),
    };
  }

  /** Begins; outages and failures are told by `health` and the logger. May be called twice. */
  start(): void {
    this.#startedAt ??= new Date();
    this.#done ??= this.#run();
  }

  /** Finishes the writes under way and gives the partitions back. May be called twice. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#done;
  }

  get health(): RelayHealth {
    return describeHealth({
      driver: this.options.log.driver,
      startedAt: this.#stopping.signal.aborted ? null : this.#startedAt,
      databaseError: this.#databaseError,
      partitions: [...this.#partitions.values()].map(({ status }) => status),
    });
  }

  async #run(): Promise<void> {
    const { signal } = this.#stopping;
    while (!signal.aborted) {
      try {
        const topics = await relayedTopics(this.options.database);
        this.#answered();
        if (topics.length > 0) await this.#follow(topics, signal);
        else await pause(this.#topicsIntervalMs, signal);
      } catch (error) {
        if (!signal.aborted) await this.#waitOut(error, signal);
      }
    }
    await Promise.all(this.#leaving);
  }

  /** Until the topics change. */
  async #follow(topics: readonly TopicName[], signal: AbortSignal): Promise<void> {
    const member = await this.options.outbox.join({
      group: RELAY_GROUP,
      topics,
      assigned: async (keys) => {
        for (const key of keys) this.#add(key, member);
        return {};
      },
      revoked: async (keys, reason) => {
        const stopped = keys.map((key) => this.#remove(key));
        // What is lost may be another's already, who fences what is still under way here.
        if (reason !== 'lost') await Promise.all(stopped);
      },
    });
    try {
      await this.#read(member, topics, signal);
    } finally {
      await member.leave();
    }
  }

  async #read(member: PollingMember, topics: readonly TopicName[], signal: AbortSignal): Promise<void> {
    let lookAt = performance.now() + this.#topicsIntervalMs;
    while (!signal.aborted) {
      try {
        const batches = await member.poll({ maxWaitMs: Math.max(1, lookAt - performance.now()), signal });
        for (const { topic, partition, records } of batches)
          this.#partitions.get(partitionKey(topic, partition))?.offer(records);
        // Not while they are being assigned, which may still fail.
        for (const key of member.assignment) this.#partitions.get(key)?.start();
        if (performance.now() >= lookAt) {
          if (String(await relayedTopics(this.options.database)) !== String(topics)) return;
          lookAt = performance.now() + this.#topicsIntervalMs;
        }
        this.#answered();
      } catch (error) {
        if (signal.aborted) return;
        await this.#waitOut(error, signal);
      }
    }
  }

  #add(key: PartitionKey, member: PollingMember): void {
    const { topic: name, partition } = parsePartitionKey(key);
    const topic = topicName(name);
    const ifCurrent = (work: () => void): void => {
      if (this.#partitions.get(key) === added) work();
    };
    const lease: PartitionLease = {
      readFrom: (offset) =>
        ifCurrent(() => {
          member.seek(topic, partition, offset);
          member.resume(topic, partition);
        }),
      pause: () => ifCurrent(() => member.pause(topic, partition)),
      resume: () => ifCurrent(() => member.resume(topic, partition)),
      stillOurs: async () => (await member.stillOwns(partition)) && this.#partitions.get(key) === added,
    };
    const added = new PartitionRelay(this.#context, topic, partition, lease);
    this.#partitions.set(key, added);
    member.pause(topic, partition);
  }

  #remove(key: PartitionKey): Promise<void> {
    const removed = this.#partitions.get(key);
    this.#partitions.delete(key);
    if (!removed) return Promise.resolve();
    const stopped = removed.stop().finally(() => this.#leaving.delete(stopped));
    this.#leaving.add(stopped);
    return stopped;
  }

  async #ensureTopic(name: TopicName): Promise<void> {
    const ensured = this.#ensured.get(name) ?? this.#createTopic(name);
    this.#ensured.set(name, ensured);
    try {
      await ensured;
    } catch (error) {
      this.#ensured.delete(name);
      throw error;
    }
  }

  async #createTopic(name: TopicName): Promise<void> {
    const { outbox, log } = this.options;
    const rows = await outbox.describeTopic(name);
    if (!rows) throw noOutboxTopic(name);
    await log.createTopic({ name, partitions: rows.partitions, retention: rows.retention, compaction: false });
  }

  #answered(): void {
    if (this.#databaseError) this.options.logger.log('relay: the database answers again');
    this.#databaseError = null;
    this.#backoff.reset();
  }

  async #waitOut(error: unknown, signal: AbortSignal): Promise<void> {
    const message = error instanceof Error ? error.message : String(error);
    if (this.#backoff.attempts % 10 === 0) this.options.logger.warn(`relay: ${message}; nothing is lost, trying again`);
    this.#databaseError = { message, since: this.#databaseError?.since ?? new Date() };
    await this.#backoff.wait(signal);
  }

  get #topicsIntervalMs(): number {
    return this.options.topicsIntervalMs ?? 5_000;
  }
}

function noOutboxTopic(topic: TopicName): KappaError {
  return new KappaError('KAPPA_UNKNOWN_TOPIC', `an aggregate writes to ${topic}, but the outbox has no such topic`, {
    facts: { topic },
    nextStep: 'Start the application that declares it once more: it creates its topics.',
  });
}
