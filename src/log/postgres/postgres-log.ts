import type { Database } from '../../database/database.js';
import type { Offset, TopicName } from '../../kernel/names.js';
import { NOWHERE, partitionKey, type PartitionKey, type Position } from '../../kernel/position.js';
import type { LogRecord, NewRecord } from '../../kernel/record.js';
import {
  DEFAULT_MAX_RECORD_BYTES,
  type AppendSignal,
  type EventLog,
  type JoinOptions,
  type LogBatch,
  type LogIdentity,
  type LogLimits,
  type LogSession,
  type PartitionOffsets,
  type PartitionWriter,
  type ReadOptions,
  type TopicDescription,
  type TopicSpec,
} from '../event-log.js';
import type { GroupSeat, SeatRequest } from '../groups/group-seat.js';
import type { LogGroups } from '../log-groups.js';
import { PollingMember, type MemberLog } from '../groups/polling-member.js';
import type { Page, PageSource, PageWish } from '../page-source.js';
import { readPartitions } from '../read-partitions.js';
import { groupRecords } from '../record-groups.js';
import { sessionWriter } from '../session-writer.js';
import { assertNoCompaction } from '../topic-mismatch.js';
import { logStopped, Wake, type Probed } from '../wake.js';
import { appendRecords } from './append-records.js';
import { GroupCoordinator } from './group-coordinator.js';
import { PostgresGroups } from './postgres-groups.js';
import { readLogIdentity } from './log-identity.js';
import { readCommitted, readGrown, readOffsets, readOffsetsAt } from './offsets.js';
import { CopiedPage } from './copied-page.js';
import { CopyRooms } from './copy-rooms.js';
import { PageReader } from './pages.js';
import { RecentRecords, type RecentBounds } from './recent-records.js';
import { RetentionKeeper } from './retention.js';
import { openSession } from './session.js';
import { descriptionOf, TopicCatalog } from './topic-catalog.js';

export interface PostgresLogOptions {
  /** Default 900 KB (921,600). */
  readonly maxRecordBytes?: number;
  /** Between two looks for what other processes append, while they do. Default 15. Lower is fresher and costs more queries. */
  readonly minPollIntervalMs?: number;
  /** Between two such looks when nothing has come for some seconds; within the first it is half of that. Default 500. */
  readonly maxPollIntervalMs?: number;
  /**
   * And when nobody else is connected to the database, which can be told only where no pooler stands before it: who connects then is
   * noticed with the next look. Default: as `maxPollIntervalMs`.
   */
  readonly alonePollIntervalMs?: number;
  /** For so long nobody else must have been connected before that: who comes for a moment comes again. Default 600,000. */
  readonly aloneAfterMs?: number;
  /** A member of a group that is not heard of for so long loses its partitions. Default 10,000. */
  readonly sessionTimeoutMs?: number;
  /**
   * Between two looks at the groups of this process: how fast a change of another process is seen. Default 1,000. Groups in which
   * nothing has changed for fifteen of them are looked at when a renewal is due, at whole quarters of the session timeout, or each
   * third time where that is sooner.
   */
  readonly heartbeatMs?: number;
  /** A member that does not poll for so long, though its process lives, loses its partitions. Default 300,000. */
  readonly maxMemberSilenceMs?: number;
  /** Between two removals of what topics need not keep; 0 for none by itself. Default 60,000. */
  readonly retentionIntervalMs?: number;
  /** What background work met; it is tried again by itself. Default: dropped. */
  readonly onBackgroundError?: (error: unknown) => void;
}

/** Enough for readers that are some hundred milliseconds behind at tens of thousands of records a second. */
const RECENT: RecentBounds = { partitionBytes: 1024 * 1024, bytes: 16 * 1024 * 1024 };

/** The log in PostgreSQL. Its schema is brought about by `logMigrations`. The database is the caller's to start and stop. */
export class PostgresLog implements EventLog, AppendSignal, MemberLog {
  readonly driver = 'postgres';
  readonly readsRanges = true;
  readonly limits: LogLimits;
  readonly groups: LogGroups;
  readonly #topics: TopicCatalog;
  /** Of members of groups, which read where the log ends. */
  readonly #memberPages: PageReader;
  readonly #seats: GroupCoordinator;
  readonly #retention: RetentionKeeper;
  readonly #wake: Wake;
  readonly #recent = new RecentRecords(RECENT);
  readonly #members = new Set<PollingMember>();
  readonly #stopping = new AbortController();
  #retentionTimer: NodeJS.Timeout | null = null;
  #identity: LogIdentity | null = null;

  constructor(
    private readonly database: Database,
    private readonly options: PostgresLogOptions = {},
  ) {
    this.limits = { maxRecordBytes: options.maxRecordBytes ?? DEFAULT_MAX_RECORD_BYTES };
    this.#topics = new TopicCatalog(database);
    this.#memberPages = new PageReader(database, this.#topics);
    this.groups = new PostgresGroups(database, this.#topics);
    this.#seats = new GroupCoordinator(database, {
      sessionTimeoutMs: options.sessionTimeoutMs ?? 10_000,
      heartbeatMs: options.heartbeatMs ?? 1_000,
    });
    this.#retention = new RetentionKeeper(database, this.#topics);
    this.#wake = new Wake({
      probe: (after, atRest) => this.#grown(after, atRest && options.alonePollIntervalMs !== undefined),
      minIntervalMs: options.minPollIntervalMs ?? 15,
      maxIntervalMs: options.maxPollIntervalMs ?? 500,
      ...(options.alonePollIntervalMs === undefined ? {} : { aloneIntervalMs: options.alonePollIntervalMs }),
      aloneAfterMs: options.aloneAfterMs ?? 600_000,
    });
  }

  async start(): Promise<void> {
    await this.identity();
    this.#enforceLater();
  }

  async stop(): Promise<void> {
    if (!this.#stopping.signal.aborted) {
      this.#stopping.abort();
      if (this.#retentionTimer) clearTimeout(this.#retentionTimer);
      this.#wake.stop();
    }
    await Promise.allSettled([...this.#members].map((member) => member.leave()));
    this.#seats.stop();
  }

  async identity(): Promise<LogIdentity> {
    if (this.#identity) return this.#identity;
    this.#identity = { driver: this.driver, cluster: await readLogIdentity(this.database) };
    return this.#identity;
  }

  async createTopic(spec: TopicSpec): Promise<TopicDescription> {
    assertNoCompaction(spec, this.driver);
    return descriptionOf(await this.#topics.create(spec));
  }

  async describeTopic(name: TopicName): Promise<TopicDescription | null> {
    const topic = await this.#topics.describe(name);
    return topic && descriptionOf(topic);
  }

  async listTopics(): Promise<readonly TopicDescription[]> {
    return (await this.#topics.list()).map(descriptionOf);
  }

  async offsets(topic: TopicName): Promise<readonly PartitionOffsets[]> {
    return readOffsets(this.database, await this.#topics.get(topic));
  }

  async offsetsAt(topic: TopicName, timestampMs: number): Promise<readonly Offset[]> {
    return readOffsetsAt(this.database, await this.#topics.get(topic), timestampMs);
  }

  async append(records: readonly NewRecord[]): Promise<Position> {
    if (records.length === 0) return NOWHERE;
    const topics = await this.#topics.resolve(new Set(records.map(({ topic }) => topic)));
    const position = await appendRecords(this.database, groupRecords(records, topics, this.limits.maxRecordBytes));
    this.appended(position);
    return position;
  }

  /** Wakes the readers of this process; also for records that were appended beside this log, by aggregates. */
  appended(position: Position, records?: () => readonly LogRecord[]): void {
    // Nobody who only appends pays for readers.
    if (records && this.#members.size > 0) this.#recent.add(records(), (partition) => this.#neededFrom(partition));
    this.#wake.appended(position);
  }

  read(options: ReadOptions): AsyncIterable<LogBatch> {
    const reader = new PageReader(this.database, this.#topics, new CopyRooms());
    const source: PageSource = {
      pages: (wishes) => this.#pages(wishes, reader),
      grown: (after, waiting) => this.grown(after, waiting),
      knownEnd: (partition) => this.knownEnd(partition),
    };
    return readPartitions(source, options);
  }

  async join(options: JoinOptions): Promise<PollingMember> {
    if (this.#stopping.signal.aborted) throw logStopped();
    const topics = [...(await this.#topics.resolve(options.topics)).values()];
    const member = new PollingMember(this, topics, options, this.options.maxMemberSilenceMs ?? 300_000);
    await member.join();
    this.#members.add(member);
    return member;
  }

  committed(group: string): Promise<Position> {
    return readCommitted(this.database, group);
  }

  openSession(task: string): Promise<LogSession> {
    const { maxRecordBytes } = this.limits;
    return openSession(
      { database: this.database, topics: this.#topics, maxRecordBytes, appended: (position) => this.appended(position) },
      task,
    );
  }

  async openWriter(task: string): Promise<PartitionWriter> {
    return sessionWriter(await this.openSession(task));
  }

  /** Removes now what topics need not keep, and returns how many records that were. `start` does it on a timer. */
  enforceRetention(): Promise<number> {
    return this.#retention.enforce(this.#stopping.signal);
  }

  /** Members are given records that are made already, unless they take them on demand. */
  async pages(wishes: readonly PageWish[]): Promise<readonly Page[]> {
    const pages = await this.#pages(wishes, this.#memberPages);
    for (const [index, page] of pages.entries()) if (page instanceof CopiedPage && !wishes[index]?.onDemand) await page.make();
    return pages;
  }

  async #pages(wishes: readonly PageWish[], reader: PageReader): Promise<readonly Page[]> {
    if (this.#stopping.signal.aborted) throw logStopped();
    const recent = wishes.map((wish) => this.#recent.page(wish));
    const missing = wishes.filter((_, index) => recent[index] === null);
    if (missing.length === 0) return recent.flatMap((page) => page ?? []);
    const fetched = await this.#fetch(missing, reader);
    return recent.map((page) => page ?? (fetched.shift() as Page));
  }

  async #fetch(wishes: readonly PageWish[], reader: PageReader): Promise<Page[]> {
    let pages: readonly CopiedPage[];
    try {
      pages = await reader.read(wishes);
    } catch (error) {
      this.#recent.clear();
      throw error;
    }
    const ends: Record<PartitionKey, number> = {};
    wishes.forEach(({ topic, partition }, index) => (ends[partitionKey(topic, partition)] = pages[index]?.end ?? 0));
    this.#wake.appended(ends);
    return [...pages];
  }

  grown(after: Position, options: { readonly signal?: AbortSignal; readonly timeoutMs?: number }): Promise<void> {
    return this.#wake.wait(after, options);
  }

  knownEnd(partition: PartitionKey): number | undefined {
    return this.#wake.end(partition);
  }

  left(member: PollingMember): void {
    this.#members.delete(member);
    // From here on nothing tells that the log has lost its end.
    if (this.#members.size === 0) this.#recent.clear();
  }

  takeSeat(request: SeatRequest): Promise<GroupSeat> {
    return this.#seats.takeSeat(request);
  }

  /** Beyond all records for what no member of this process holds. */
  #neededFrom(partition: PartitionKey): number {
    let least = Infinity;
    for (const member of this.#members) least = Math.min(least, member.nextOf(partition) ?? Infinity);
    return least;
  }

  async #grown(after: Position, asksForOthers: boolean): Promise<Probed> {
    try {
      return await readGrown(this.database, this.#topics, after, asksForOthers);
    } catch (error) {
      this.#recent.clear();
      throw error;
    }
  }

  #enforceLater(): void {
    const intervalMs = this.options.retentionIntervalMs ?? 60_000;
    if (intervalMs === 0 || this.#stopping.signal.aborted) return;
    this.#retentionTimer = setTimeout(() => {
      void this.enforceRetention()
        .catch((error: unknown) => this.options.onBackgroundError?.(error))
        .then(() => this.#enforceLater());
    }, intervalMs);
    this.#retentionTimer.unref();
  }
}
