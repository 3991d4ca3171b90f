import type {
  CommitOutcome,
  EventLog,
  GroupMember,
  JoinOptions,
  LogBatch,
  LogSession,
  LogTransaction,
  PartitionWriter,
  ReadOptions,
  TopicSpec,
} from '../../../src/log/event-log.js';
import type { TopicName } from '../../../src/kernel/names.js';
import { partitionKey, type PartitionKey, type Position } from '../../../src/kernel/position.js';
import { LOG_OFFSET_HEADER, type NewRecord } from '../../../src/kernel/record.js';

/** What the rows of an outbox are to a relay: the offsets of records, decided before they are written, one writer at a time. */
export class Outbox {
  readonly #next = new Map<PartitionKey, number>();
  #turn: Promise<unknown> = Promise.resolve();

  /** Every third offset is left out: a session that was given up has used it. */
  stamp(records: readonly NewRecord[]): NewRecord[] {
    return records.map((record) => {
      const key = partitionKey(record.topic, record.partition);
      const offset = this.#next.get(key) ?? 0;
      this.#next.set(key, offset % 3 === 1 ? offset + 2 : offset + 1);
      return { ...record, headers: { ...record.headers, [LOG_OFFSET_HEADER]: String(offset) } };
    });
  }

  inTurn<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#turn.then(work);
    this.#turn = done.catch(() => undefined);
    return done;
  }
}

/** A log whose topics are all relayed, and the relay with it: what is appended bears its log offset, which is not Kafka's. */
export class RelayingLog implements EventLog {
  readonly driver: string;
  readonly limits;
  readonly groups;

  constructor(
    readonly inner: EventLog,
    private readonly outbox: Outbox,
  ) {
    this.driver = inner.driver;
    this.limits = inner.limits;
    this.groups = inner.groups;
  }

  start = (options?: { readonly signal?: AbortSignal }) => this.inner.start(options);
  stop = () => this.inner.stop();
  identity = () => this.inner.identity();
  createTopic = (spec: TopicSpec) => this.inner.createTopic(spec);
  describeTopic = (name: TopicName) => this.inner.describeTopic(name);
  listTopics = () => this.inner.listTopics();
  offsets = (topic: TopicName) => this.inner.offsets(topic);
  offsetsAt = (topic: TopicName, timestampMs: number) => this.inner.offsetsAt(topic, timestampMs);
  committed = (group: string) => this.inner.committed(group);

  append(records: readonly NewRecord[]): Promise<Position> {
    return this.outbox.inTurn(() => this.inner.append(this.outbox.stamp(records)));
  }

  async *read(options: ReadOptions): AsyncGenerator<LogBatch> {
    for await (const batch of this.inner.read(options)) yield { ...batch, records: batch.records.map(unstamped) };
  }

  async join(options: JoinOptions): Promise<GroupMember> {
    const member = await this.inner.join(options);
    return {
      get assignment() {
        return member.assignment;
      },
      poll: async (bounds) => (await member.poll(bounds)).map((batch) => ({ ...batch, records: batch.records.map(unstamped) })),
      seek: (topic, partition, offset) => member.seek(topic, partition, offset),
      leave: () => member.leave(),
    };
  }

  async openSession(task: string): Promise<LogSession> {
    const session = await this.inner.openSession(task);
    return {
      task,
      begin: () => this.#transaction(session.begin()),
      close: () => session.close(),
    };
  }

  async openWriter(task: string, topic: TopicName, partition: number): Promise<PartitionWriter> {
    const writer = await this.inner.openWriter(task, topic, partition);
    return {
      write: (records) => this.outbox.inTurn(() => writer.write(this.outbox.stamp(records))),
      close: () => writer.close(),
    };
  }

  #transaction(inner: LogTransaction): LogTransaction {
    const gathered: NewRecord[] = [];
    return {
      append: (records) => {
        inner.append([]);
        gathered.push(...records);
      },
      commitOffsets: (group, position) => inner.commitOffsets(group, position),
      commit: (): Promise<CommitOutcome> =>
        this.outbox.inTurn(() => {
          inner.append(this.outbox.stamp(gathered));
          return inner.commit();
        }),
      abort: () => inner.abort(),
    };
  }
}

function unstamped<R extends NewRecord>(record: R): R {
  const headers = Object.entries(record.headers).filter(([name]) => name !== LOG_OFFSET_HEADER);
  return { ...record, headers: Object.fromEntries(headers) };
}
