import { KappaError } from '../../kernel/errors.js';
import type { Offset, TopicName } from '../../kernel/names.js';
import { NOWHERE, type Position } from '../../kernel/position.js';
import type { NewRecord } from '../../kernel/record.js';
import type {
  EventLog,
  GroupMember,
  JoinOptions,
  LogBatch,
  LogIdentity,
  LogLimits,
  LogSession,
  PartitionOffsets,
  PartitionWriter,
  ReadOptions,
  TopicDescription,
  TopicSpec,
} from '../event-log.js';
import type { LogContext } from '../log-driver.js';
import type { LogGroups } from '../log-groups.js';
import { readPartitions } from '../read-partitions.js';
import { assertPartition, groupRecords } from '../record-groups.js';
import { logStopped } from '../wake.js';
import { clientLogger } from './client-logger.js';
import { committedOffsets } from './groups/committed-offsets.js';
import { KafkaGroups } from './groups/kafka-groups.js';
import { KafkaMember, type MemberPages } from './groups/kafka-member.js';
import type { ResolvedKafkaOptions } from './kafka-options.js';
import { LogTopics } from './log-topic.js';
import { KafkaPages } from './reading/kafka-pages.js';
import { offsetsAtTime, partitionOffsets } from './reading/offsets.js';
import { TopicCatalog } from './topic-catalog.js';
import { waitForKafka } from './wait-for-kafka.js';
import { Cluster } from './wire/cluster.js';
import { kafkajs } from './wire/kafkajs.js';
import { Appends } from './writing/appends.js';
import { assertOwn } from './writing/batches.js';
import { KafkaSession } from './writing/kafka-session.js';
import { KafkaWriter } from './writing/kafka-writer.js';
import { SharedRequests } from './writing/shared-requests.js';
import { TransactionalProducer } from './writing/transactional-producer.js';

/** Of the host's context, what this driver uses. */
export type KafkaContext = Pick<LogContext, 'clientId' | 'logger' | 'relayed'>;

/** The log in Apache Kafka (3.1 to 4.x). Made by {@link kafka}. */
export class KafkaLog implements EventLog {
  readonly driver = 'kafka';
  readonly limits: LogLimits;
  readonly groups: LogGroups;
  readonly #cluster: Cluster;
  readonly #catalog: TopicCatalog;
  readonly #topics: LogTopics;
  readonly #appends: Appends;
  readonly #members = new Set<KafkaMember>();
  readonly #requests: SharedRequests;
  readonly #sessions = new Set<LogSession | PartitionWriter>();
  #identity: LogIdentity | null = null;
  #stopping: Promise<void> | null = null;

  constructor(
    private readonly options: ResolvedKafkaOptions,
    private readonly context: KafkaContext,
  ) {
    const { maxRecordBytes, replicationFactor } = options;
    const { logger } = context;
    this.limits = { maxRecordBytes };
    this.#cluster = new Cluster({
      brokers: options.brokers,
      clientId: context.clientId,
      ssl: options.ssl,
      sasl: options.sasl,
      socketFactory: options.socketFactory,
      connectTimeoutMs: Math.min(options.requestTimeoutMs, 5_000),
      requestTimeoutMs: options.requestTimeoutMs,
      retryMs: options.retryMs,
      logger: clientLogger(logger),
      words: logger,
    });
    this.#catalog = new TopicCatalog(this.#cluster, { replicationFactor, maxRecordBytes, logger });
    this.#topics = new LogTopics(this.#cluster, (topic) => context.relayed(topic));
    this.groups = new KafkaGroups(this.#cluster, this.#topics);
    this.#appends = new Appends(this.#cluster, maxRecordBytes);
    this.#requests = new SharedRequests(this.#cluster, 'writer');
  }

  /** @throws KAPPA_KAFKA_UNREACHABLE, KAPPA_KAFKA_LOGIN, KAPPA_KAFKA_CERTIFICATE, KAPPA_KAFKA_TOO_OLD, KAPPA_NO_KAFKAJS, KAPPA_KAFKAJS_VERSION */
  async start({ signal }: { readonly signal?: AbortSignal } = {}): Promise<void> {
    kafkajs();
    const { clusterId } = await waitForKafka(this.#cluster, {
      timeoutMs: this.options.connectTimeoutMs,
      logger: this.context.logger,
      ...(signal ? { signal } : {}),
    });
    this.#identity = { driver: this.driver, cluster: clusterId };
  }

  hurry(graceMs: number): void {
    this.#cluster.hurry(graceMs);
  }

  async stop(): Promise<void> {
    await (this.#stopping ??= this.#stop());
  }

  async #stop(): Promise<void> {
    await Promise.allSettled([...this.#members].map((member) => member.leave()));
    await Promise.allSettled([...this.#sessions].map((session) => session.close()));
    await this.#appends.stop();
    await this.#cluster.stop();
  }

  async identity(): Promise<LogIdentity> {
    if (this.#identity) return this.#identity;
    throw new KappaError('KAPPA_NOT_STARTED', 'the kafka log has not started yet', { nextStep: 'Await start() first.' });
  }

  createTopic(spec: TopicSpec): Promise<TopicDescription> {
    return this.#catalog.create(spec);
  }

  describeTopic(name: TopicName): Promise<TopicDescription | null> {
    return this.#catalog.describe(name);
  }

  listTopics(): Promise<readonly TopicDescription[]> {
    return this.#catalog.list();
  }

  async offsets(topic: TopicName): Promise<readonly PartitionOffsets[]> {
    return partitionOffsets(this.#cluster, await this.#topics.get(topic));
  }

  async offsetsAt(topic: TopicName, timestampMs: number): Promise<readonly Offset[]> {
    return offsetsAtTime(this.#cluster, await this.#topics.get(topic), timestampMs);
  }

  async append(records: readonly NewRecord[]): Promise<Position> {
    this.#assertRunning();
    if (records.length === 0) return NOWHERE;
    const topics = await this.#topics.resolve(records.map(({ topic }) => topic));
    const groups = groupRecords(records, topics, this.limits.maxRecordBytes);
    assertOwn(groups);
    return this.#appends.append(groups);
  }

  async *read(options: ReadOptions): AsyncGenerator<LogBatch> {
    this.#assertRunning();
    const pages = this.#pages(options.to ? this.options.stallTimeoutMs : null);
    try {
      yield* readPartitions(pages, options);
    } finally {
      pages.close();
    }
  }

  async join(options: JoinOptions): Promise<GroupMember> {
    this.#assertRunning();
    const topics = [...(await this.#topics.resolve(options.topics)).values()];
    const pages = this.#pages(null);
    const memberPages: MemberPages = {
      pages: (wishes) => pages.pages(wishes),
      grown: (after, bounds) => pages.grown(after, bounds),
      knownEnd: (partition) => pages.knownEnd(partition),
      offsets: (topic) => this.offsets(topic),
      committed: (group) => this.committed(group),
      close: () => pages.close(),
    };
    const member = new KafkaMember(this.#cluster, memberPages, topics, options, this.options, (gone) =>
      this.#members.delete(gone),
    );
    this.#members.add(member);
    member.join();
    return member;
  }

  committed(group: string): Promise<Position> {
    return committedOffsets(this.#cluster, group);
  }

  async openSession(task: string): Promise<LogSession> {
    this.#assertRunning();
    const { maxRecordBytes } = this.limits;
    const producer = new TransactionalProducer(this.#cluster, task, maxRecordBytes);
    try {
      await producer.open();
    } catch (error) {
      producer.close();
      throw error;
    }
    const session = new KafkaSession(task, producer, {
      topics: this.#topics,
      maxRecordBytes,
      closed: (gone) => this.#sessions.delete(gone),
    });
    this.#sessions.add(session);
    return session;
  }

  async openWriter(task: string, topic: TopicName, partition: number): Promise<PartitionWriter> {
    this.#assertRunning();
    const known = await this.#topics.get(topic);
    assertPartition(topic, partition, known.partitions);
    const { maxRecordBytes } = this.limits;
    const writer = await KafkaWriter.open({
      producer: new TransactionalProducer(this.#cluster, task, maxRecordBytes),
      topic: known,
      partition,
      requests: this.#requests,
      maxRecordBytes,
      closed: (gone) => this.#sessions.delete(gone),
    });
    this.#sessions.add(writer);
    return writer;
  }

  #pages(stallMs: number | null): KafkaPages {
    return new KafkaPages(this.#cluster, this.#topics, { stallMs, logger: this.context.logger });
  }

  #assertRunning(): void {
    if (this.#stopping) throw logStopped();
  }
}
