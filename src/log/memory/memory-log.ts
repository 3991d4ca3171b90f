import type { Offset, TopicName } from '../../kernel/names.js';
import { NOWHERE, partitionKey, type PartitionKey, type Position } from '../../kernel/position.js';
import type { NewRecord } from '../../kernel/record.js';
import {
  DEFAULT_MAX_RECORD_BYTES,
  type AppendSignal,
  type EventLog,
  type GroupMember,
  type JoinOptions,
  type LogBatch,
  type LogIdentity,
  type LogLimits,
  type LogSession,
  type PartitionWriter,
  type PartitionOffsets,
  type ReadOptions,
  type TopicDescription,
  type TopicSpec,
} from '../event-log.js';
import type { GroupSeat, SeatRequest } from '../groups/group-seat.js';
import type { LogGroups } from '../log-groups.js';
import { PollingMember, type MemberLog } from '../groups/polling-member.js';
import type { Page, PageWish } from '../page-source.js';
import { readPartitions } from '../read-partitions.js';
import { sessionWriter } from '../session-writer.js';
import { assertPartition, groupRecords, unknownTopic } from '../record-groups.js';
import { assertNoCompaction, topicMismatch } from '../topic-mismatch.js';
import { logStopped, Wake } from '../wake.js';
import { MemoryCluster, type MemoryTopic } from './memory-cluster.js';
import { MemoryGroupView } from './memory-group-view.js';
import { openMemorySession } from './memory-session.js';

export interface MemoryLogOptions {
  /** What is shared with other logs of this process. Default: a cluster of its own. */
  readonly cluster?: MemoryCluster;
  /** Default 900 KB (921,600). */
  readonly maxRecordBytes?: number;
}

/** The log in memory, for tests of applications: everything the others promise, gone with the process. */
export class MemoryLog implements EventLog, AppendSignal, MemberLog {
  readonly driver = 'memory';
  readonly readsRanges = true;
  readonly limits: LogLimits;
  readonly groups: LogGroups;
  readonly #cluster: MemoryCluster;
  readonly #wake = new Wake({ minIntervalMs: 0, maxIntervalMs: 0 });
  readonly #members = new Set<PollingMember>();
  #stopped = false;

  constructor(options: MemoryLogOptions = {}) {
    this.limits = { maxRecordBytes: options.maxRecordBytes ?? DEFAULT_MAX_RECORD_BYTES };
    this.#cluster = options.cluster ?? new MemoryCluster();
    this.groups = new MemoryGroupView(this.#cluster);
  }

  async start(): Promise<void> {
    this.#cluster.listeners.add(this);
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#wake.stop();
    await Promise.allSettled([...this.#members].map((member) => member.leave()));
    this.#cluster.listeners.delete(this);
  }

  async identity(): Promise<LogIdentity> {
    return { driver: this.driver, cluster: this.#cluster.id };
  }

  async createTopic(spec: TopicSpec): Promise<TopicDescription> {
    assertNoCompaction(spec, this.driver);
    const found = this.#cluster.topics.get(spec.name);
    if (found && found.partitions !== spec.partitions) throw topicMismatch(spec, found.partitions);
    return descriptionOf(this.#cluster.putTopic(spec));
  }

  async describeTopic(name: TopicName): Promise<TopicDescription | null> {
    const topic = this.#cluster.topics.get(name);
    return topic ? descriptionOf(topic) : null;
  }

  async listTopics(): Promise<readonly TopicDescription[]> {
    return [...this.#cluster.topics.values()].map(descriptionOf).sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  async offsets(topic: TopicName): Promise<readonly PartitionOffsets[]> {
    return this.#cluster.offsets(this.#topic(topic));
  }

  async offsetsAt(topic: TopicName, timestampMs: number): Promise<readonly Offset[]> {
    return this.#cluster.offsetsAt(this.#topic(topic), timestampMs);
  }

  async append(records: readonly NewRecord[]): Promise<Position> {
    if (this.#stopped) throw logStopped();
    if (records.length === 0) return NOWHERE;
    return this.#cluster.append(groupRecords(records, this.#cluster.topics, this.limits.maxRecordBytes));
  }

  appended(position: Position): void {
    this.#wake.appended(position);
  }

  read(options: ReadOptions): AsyncIterable<LogBatch> {
    return readPartitions(this, options);
  }

  async join(options: JoinOptions): Promise<GroupMember> {
    if (this.#stopped) throw logStopped();
    const topics = options.topics.map((name) => this.#topic(name));
    const member = new PollingMember(this, topics, options, Infinity);
    await member.join();
    this.#members.add(member);
    return member;
  }

  async committed(group: string): Promise<Position> {
    return { ...this.#cluster.committed.get(group) };
  }

  async openSession(task: string): Promise<LogSession> {
    return openMemorySession(this.#cluster, task, this.limits.maxRecordBytes);
  }

  async openWriter(task: string): Promise<PartitionWriter> {
    return sessionWriter(await this.openSession(task));
  }

  /** Removes now what topics need not keep, and returns how many records that were. Nothing does it by itself. */
  async enforceRetention(nowMs = Date.now()): Promise<number> {
    return this.#cluster.enforceRetention(nowMs);
  }

  async pages(wishes: readonly PageWish[]): Promise<readonly Page[]> {
    if (this.#stopped) throw logStopped();
    const ends: Record<PartitionKey, number> = {};
    const pages = wishes.map((wish) => {
      const topic = this.#topic(wish.topic);
      assertPartition(wish.topic, wish.partition, topic.partitions);
      const page = this.#cluster.page(topic, wish);
      ends[partitionKey(wish.topic, wish.partition)] = page.end;
      return page;
    });
    this.#wake.appended(ends);
    return pages;
  }

  grown(after: Position, options: { readonly signal?: AbortSignal; readonly timeoutMs?: number }): Promise<void> {
    return this.#wake.wait(after, options);
  }

  knownEnd(partition: PartitionKey): number | undefined {
    return this.#wake.end(partition);
  }

  async takeSeat(request: SeatRequest): Promise<GroupSeat> {
    return this.#cluster.groups.takeSeat(request);
  }

  #topic(name: TopicName): MemoryTopic {
    const topic = this.#cluster.topics.get(name);
    if (!topic) throw unknownTopic(name);
    return topic;
  }
}

function descriptionOf({ name, partitions, retention, incarnation }: MemoryTopic): TopicDescription {
  return { name, partitions, retention, incarnation };
}
