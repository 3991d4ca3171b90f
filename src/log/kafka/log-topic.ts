import { KappaError } from '../../kernel/errors.js';
import type { TopicName } from '../../kernel/names.js';
import { LOG_OFFSET_HEADER, type LogRecord } from '../../kernel/record.js';
import { unknownTopic } from '../record-groups.js';
import type { Cluster, ClusterTopic } from './wire/cluster.js';
import { ERROR, isError } from './wire/kafka-error.js';

/** A topic, and whose offsets count in it. */
export interface LogTopic extends ClusterTopic {
  /** Its log offsets are those of the rows it was copied from; Kafka's own are nobody's business. */
  readonly relayed: boolean;
}

export class LogTopics {
  readonly #relayed = new Set<TopicName>();

  constructor(
    private readonly cluster: Cluster,
    private readonly isRelayed: (topic: TopicName) => Promise<boolean>,
  ) {}

  /** @throws KAPPA_UNKNOWN_TOPIC */
  async get(name: TopicName): Promise<LogTopic> {
    const topic = await this.cluster.retry(`looking up topic ${name}`, () => this.cluster.topic(name));
    return { ...topic, relayed: await this.#isRelayed(name) };
  }

  async resolve(names: Iterable<TopicName>): Promise<ReadonlyMap<TopicName, LogTopic>> {
    const topics = await Promise.all([...new Set(names)].map((name) => this.get(name)));
    return new Map(topics.map((topic) => [topic.name, topic]));
  }

  /** A topic that an aggregate is bound to stays so; one that none is bound to may yet be. */
  async #isRelayed(name: TopicName): Promise<boolean> {
    if (this.#relayed.has(name)) return true;
    const relayed = await this.isRelayed(name);
    if (relayed) this.#relayed.add(name);
    return relayed;
  }
}

/** The log offset that a relayed record bears. @throws KAPPA_FOREIGN_RECORD */
export function logOffsetOf(record: Pick<LogRecord, 'topic' | 'partition' | 'headers'>, kafkaOffset: number | null): number {
  const text = record.headers[LOG_OFFSET_HEADER];
  const offset = text === undefined || !/^\d{1,15}$/.test(text) ? NaN : Number(text);
  if (Number.isSafeInteger(offset)) return offset;
  const { topic, partition } = record;
  throw new KappaError(
    'KAPPA_FOREIGN_RECORD',
    kafkaOffset === null
      ? `a record for ${topic}/${partition} bears no ${LOG_OFFSET_HEADER}, and the relay alone writes to this topic`
      : `${topic}/${partition} holds a record at Kafka's offset ${kafkaOffset} that the relay did not write`,
    {
      facts: { topic, partition, kafkaOffset, header: text ?? null },
      nextStep:
        'Aggregates write to this topic through the relay; let whoever else writes to it use a topic of their own, and compare it with `npx nest-kappa relay verify`.',
    },
  );
}

/** What a topic that is not what it was when reading began has become. */
export async function changedTopic(cluster: Cluster, topic: LogTopic): Promise<KappaError | null> {
  cluster.forget(topic.name);
  const now = await cluster.topic(topic.name).catch((error: unknown) => {
    if (error instanceof KappaError && error.code === 'KAPPA_UNKNOWN_TOPIC') return null;
    if (isError(error, ERROR.unknownTopicOrPartition)) return null;
    throw error;
  });
  if (now === null) return unknownTopic(topic.name);
  if (now.id === topic.id) return null;
  return new KappaError('KAPPA_TOPIC_RECREATED', `topic ${topic.name} was deleted and created again`, {
    facts: { topic: topic.name, was: topic.id, is: now.id },
    nextStep: 'Positions of the former do not count here: build anew what was derived from it, and read from the begin.',
  });
}
