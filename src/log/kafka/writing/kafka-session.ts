import { KappaError } from '../../../kernel/errors.js';
import { offset as checkedOffset, type TopicName } from '../../../kernel/names.js';
import { parsePartitionKey, type PartitionKey, type Position } from '../../../kernel/position.js';
import type { NewRecord } from '../../../kernel/record.js';
import type { CommitOutcome, LogSession, LogTransaction } from '../../event-log.js';
import { assertPartition, groupRecords } from '../../record-groups.js';
import type { LogTopic, LogTopics } from '../log-topic.js';
import { assertOwn } from './batches.js';
import type { TransactionalProducer } from './transactional-producer.js';

export interface SessionContext {
  readonly topics: LogTopics;
  readonly maxRecordBytes: number;
  readonly closed: (session: LogSession) => void;
}

/** A task's session: what its transactions gather is sent when they commit. */
export class KafkaSession implements LogSession {
  /** Topics of this task, looked up once: what they are does not change under it, and every commit would ask. */
  readonly #known = new Map<TopicName, LogTopic>();
  #open: KafkaTransaction | null = null;
  #closed = false;

  constructor(
    readonly task: string,
    private readonly producer: TransactionalProducer,
    private readonly context: SessionContext,
  ) {}

  begin(): LogTransaction {
    if (this.#closed) throw sessionMisused(this.task, 'is closed', 'Open it again.');
    if (this.#open?.isOpen) throw sessionMisused(this.task, 'has a transaction already', 'Commit or abort it first.');
    this.#open = new KafkaTransaction(this.task, (records, offsets) => this.#commit(records, offsets));
    return this.#open;
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await this.#open?.abort();
    this.producer.close();
    this.context.closed(this);
  }

  async #commit(records: readonly NewRecord[], offsets: ReadonlyMap<string, Position>): Promise<CommitOutcome> {
    let groups;
    try {
      const committed = [...offsets.values()]
        .flatMap((position) => Object.keys(position) as PartitionKey[])
        .map(parsePartitionKey);
      const topics = await this.#topics([
        ...records.map(({ topic }) => topic),
        ...committed.map(({ topic }) => topic as TopicName),
      ]);
      for (const { topic, partition } of committed)
        assertPartition(topic as TopicName, partition, topics.get(topic as TopicName)?.partitions ?? 0);
      groups = groupRecords(records, topics, this.context.maxRecordBytes);
      assertOwn(groups);
    } catch (cause) {
      return { outcome: 'aborted', cause };
    }
    return this.producer.commit(groups, offsets);
  }

  async #topics(names: readonly TopicName[]): Promise<ReadonlyMap<TopicName, LogTopic>> {
    for (const name of new Set(names)) if (!this.#known.has(name)) this.#known.set(name, await this.context.topics.get(name));
    return this.#known;
  }
}

type Commit = (records: readonly NewRecord[], offsets: ReadonlyMap<string, Position>) => Promise<CommitOutcome>;

class KafkaTransaction implements LogTransaction {
  readonly #records: NewRecord[] = [];
  readonly #offsets = new Map<string, Position>();
  isOpen = true;

  constructor(
    private readonly task: string,
    private readonly send: Commit,
  ) {}

  append(records: readonly NewRecord[]): void {
    this.#assertOpen();
    this.#records.push(...records);
  }

  commitOffsets(group: string, position: Position): void {
    this.#assertOpen();
    for (const next of Object.values(position)) checkedOffset(next);
    this.#offsets.set(group, { ...this.#offsets.get(group), ...position });
  }

  async commit(): Promise<CommitOutcome> {
    this.#assertOpen();
    this.isOpen = false;
    return this.send(this.#records, this.#offsets);
  }

  async abort(): Promise<void> {
    this.isOpen = false;
  }

  #assertOpen(): void {
    if (!this.isOpen) throw sessionMisused(this.task, 'has ended this transaction', 'Begin another one.');
  }
}

function sessionMisused(task: string, what: string, nextStep: string): KappaError {
  return new KappaError('KAPPA_SESSION_MISUSED', `session ${task} ${what}`, { facts: { task }, nextStep });
}
