import { setTimeout as sleep } from 'node:timers/promises';
import { KappaError } from '../../kernel/errors.js';
import type { Logger } from '../../kernel/logger.js';
import type { TopicName } from '../../kernel/names.js';
import type { Retention } from '../../kernel/topic.js';
import type { TopicDescription, TopicDifference, TopicSpec } from '../event-log.js';
import { topicMismatch } from '../topic-mismatch.js';
import { createTopic, describeConfigs } from './wire/api/topics.js';
import type { TopicMetadata } from './wire/api/metadata.js';
import type { Cluster } from './wire/cluster.js';
import { assertNoError, BrokerAwayError, ERROR, KafkaError } from './wire/kafka-error.js';

export interface TopicCatalogOptions {
  /** Null: 3, or as many as there are brokers. */
  readonly replicationFactor: number | null;
  readonly maxRecordBytes: number;
  readonly logger: Logger;
}

const SETTINGS = ['cleanup.policy', 'retention.ms', 'retention.bytes', 'max.message.bytes'] as const;
type Settings = Readonly<Record<(typeof SETTINGS)[number], string>>;

const REFUSALS: ReadonlySet<number> = new Set([
  ERROR.invalidReplicationFactor,
  ERROR.invalidConfig,
  ERROR.policyViolation,
  ERROR.invalidPartitions,
]);
const FOR_EVER = '-1';
/** What brokers allow unless they are told otherwise (`message.max.bytes`). */
const DEFAULT_MAX_MESSAGE_BYTES = 1_048_588;
const CREATE_TIMEOUT_MS = 15_000;
const LOOK_AGAIN_MS = 20;

/** Topics as they were declared beside topics as the cluster has them. */
export class TopicCatalog {
  readonly #reported = new Set<string>();

  constructor(
    private readonly cluster: Cluster,
    private readonly options: TopicCatalogOptions,
  ) {}

  /** @throws KAPPA_TOPIC_MISMATCH, KAPPA_TOPIC_REFUSED */
  create(spec: TopicSpec): Promise<TopicDescription> {
    return this.cluster.retry(`creating topic ${spec.name}`, async () => {
      if (!(await this.#find(spec.name))) {
        await this.#create(spec);
        await this.#spread(spec.name);
      }
      const found = await this.#find(spec.name);
      if (!found) throw new KafkaError(ERROR.leaderNotAvailable, `topic ${spec.name}`);
      if (found.partitions.length !== spec.partitions) throw topicMismatch(spec, found.partitions.length);
      const settings = await this.#settings([spec.name]);
      const described = descriptionOf(found, settings.get(spec.name));
      const differences = this.#differences(spec, found, settings.get(spec.name));
      if (differences.length === 0) return described;
      this.#report(spec.name, differences);
      return { ...described, differences };
    });
  }

  describe(name: TopicName): Promise<TopicDescription | null> {
    return this.cluster.retry(`describing topic ${name}`, async () => {
      const found = await this.#find(name);
      return found && descriptionOf(found, (await this.#settings([name])).get(name));
    });
  }

  /** Those of the cluster's own housekeeping left out. */
  list(): Promise<readonly TopicDescription[]> {
    return this.cluster.retry('listing the topics', async () => {
      const { topics } = await this.cluster.metadata(null);
      const visible = topics.filter(({ error, internal, name }) => error === 0 && !internal && !name.startsWith('__'));
      const settings = await this.#settings(visible.map(({ name }) => name));
      return visible.map((topic) => descriptionOf(topic, settings.get(topic.name))).sort((a, b) => (a.name < b.name ? -1 : 1));
    });
  }

  async #find(name: TopicName): Promise<TopicMetadata | null> {
    const found = (await this.cluster.metadata([name])).topics.find((topic) => topic.name === name);
    if (!found || found.error === ERROR.unknownTopicOrPartition) return null;
    if (found.error !== ERROR.leaderNotAvailable) assertNoError(found.error, `topic ${name}`);
    return found;
  }

  async #create(spec: TopicSpec): Promise<void> {
    const { brokers, controller } = await this.cluster.metadata([]);
    const { error, message } = await this.cluster.send(
      controller,
      'main',
      createTopic,
      {
        name: spec.name,
        partitions: spec.partitions,
        replicationFactor: this.options.replicationFactor ?? Math.min(3, brokers.length),
        configs: { ...this.#declared(spec), ...shapeOf(spec), 'message.timestamp.type': 'LogAppendTime' },
        timeoutMs: CREATE_TIMEOUT_MS,
      },
      CREATE_TIMEOUT_MS + 5_000,
    );
    if (error === 0 || error === ERROR.topicAlreadyExists) return;
    const failure = new KafkaError(error, `creating topic ${spec.name}`, message);
    if (!REFUSALS.has(error)) throw failure;
    throw new KappaError('KAPPA_TOPIC_REFUSED', `Kafka refuses topic ${spec.name}: ${message ?? failure.type}`, {
      facts: { topic: spec.name, error: failure.type },
      nextStep: 'Correct replicationFactor of the kafka log or the declaration, or create the topic by hand.',
      cause: failure,
    });
  }

  /** Brokers learn of a topic one after the other: it is there when all that are up have leaders for it. */
  async #spread(name: TopicName): Promise<void> {
    for (const nodeId of this.cluster.nodeIds) {
      const until = performance.now() + CREATE_TIMEOUT_MS;
      while (performance.now() < until && !(await this.#isKnownTo(nodeId, name)))
        await sleep(LOOK_AGAIN_MS, undefined, { signal: this.cluster.stopped });
    }
  }

  async #isKnownTo(nodeId: number, name: TopicName): Promise<boolean> {
    try {
      const [topic] = (await this.cluster.metadataOf(nodeId, [name])).topics;
      return topic?.error === 0 && topic.partitions.every(({ leader }) => leader >= 0);
    } catch (error) {
      // A broker that is away learns of it when it is back.
      if (error instanceof BrokerAwayError) return true;
      throw error;
    }
  }

  async #settings(names: readonly string[]): Promise<ReadonlyMap<string, Settings>> {
    if (names.length === 0) return new Map();
    const answers = await this.cluster.sendToAny(describeConfigs, { topics: names, names: SETTINGS });
    const settings = new Map<string, Settings>();
    for (const { name, error, message, configs } of answers) {
      if (error === ERROR.unknownTopicOrPartition) throw new KafkaError(ERROR.leaderNotAvailable, `topic ${name}`);
      assertNoError(error, `describing topic ${name}`, message);
      settings.set(name, configs);
    }
    return settings;
  }

  #declared({ retention, compaction }: TopicSpec): Record<string, string> {
    return {
      'cleanup.policy': compaction ? (retention ? 'compact,delete' : 'compact') : 'delete',
      'retention.ms': retention?.ms === undefined ? FOR_EVER : String(retention.ms),
      'retention.bytes': retention?.bytes === undefined ? FOR_EVER : String(retention.bytes),
      ...(this.#maxMessageBytes > DEFAULT_MAX_MESSAGE_BYTES ? { 'max.message.bytes': String(this.#maxMessageBytes) } : {}),
    };
  }

  /** What a record of the largest size may take as a batch: the lengths of long headers take more bytes than a limit counts. */
  get #maxMessageBytes(): number {
    return Math.ceil(this.options.maxRecordBytes * 1.05) + 1_024;
  }

  #differences(spec: TopicSpec, found: TopicMetadata, settings: Settings | undefined): readonly TopicDifference[] {
    const differences: TopicDifference[] = [];
    for (const [setting, declared] of Object.entries(this.#declared(spec))) {
      const actual = settings?.[setting as keyof Settings] ?? '';
      const differs = setting === 'max.message.bytes' ? Number(actual) < Number(declared) : sorted(actual) !== sorted(declared);
      if (differs) differences.push({ setting, declared, actual });
    }
    const replicas = found.partitions[0]?.replicas.length ?? 0;
    const { replicationFactor } = this.options;
    if (replicationFactor !== null && replicas !== replicationFactor)
      differences.push({ setting: 'replication factor', declared: String(replicationFactor), actual: String(replicas) });
    return differences;
  }

  /** Once for each state of a topic, however often it is confirmed. */
  #report(name: TopicName, differences: readonly TopicDifference[]): void {
    const text = differences.map(({ setting, declared, actual }) => `${setting} is ${actual}, declared ${declared}`).join('; ');
    const message = `topic ${name} stands otherwise than declared: ${text}. Nothing was changed: alter the topic (kafka-configs.sh), or the declaration.`;
    if (this.#reported.has(message)) return;
    this.#reported.add(message);
    this.options.logger.warn(message);
  }
}

/**
 * The segment that is written to is never compacted: by default it holds 1 GiB or a week, all of which whoever restores a state
 * would read.
 */
function shapeOf({ compaction }: TopicSpec): Record<string, string> {
  return compaction ? { 'segment.bytes': String(16 * 1024 * 1024) } : {};
}

function descriptionOf(topic: TopicMetadata, settings: Settings | undefined): TopicDescription {
  const policy = settings?.['cleanup.policy'] ?? 'delete';
  return {
    name: topic.name as TopicName,
    partitions: topic.partitions.length,
    retention: policy.includes('delete') ? retentionOf(settings) : null,
    ...(policy.includes('compact') ? { compaction: true } : {}),
    incarnation: topic.id,
  };
}

function retentionOf(settings: Settings | undefined): Retention | null {
  const ms = Number(settings?.['retention.ms'] ?? FOR_EVER);
  const bytes = Number(settings?.['retention.bytes'] ?? FOR_EVER);
  if (ms < 0 && bytes < 0) return null;
  return { ...(ms < 0 ? {} : { ms }), ...(bytes < 0 ? {} : { bytes }) };
}

function sorted(list: string): string {
  return list.split(',').sort().join(',');
}
