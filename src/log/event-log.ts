import type { Offset, TopicName } from '../kernel/names.js';
import type { PartitionKey, Position } from '../kernel/position.js';
import type { LogRecord, NewRecord } from '../kernel/record.js';
import type { Retention } from '../kernel/topic.js';
import type { LogGroups } from './log-groups.js';

/**
 * The log: topics of partitions of records, append-only and replayable. A driver exists when it passes the conformance suite
 * (`nest-kappa/testing`). Payloads are bytes here; what they mean is known by the codec and the event declarations above.
 *
 * Offsets of a partition become visible in order: no reader passes a hole that can still fill.
 */
export interface EventLog {
  /** `memory`, `postgres`, `kafka`. */
  readonly driver: string;
  readonly limits: LogLimits;
  /** Its consumer groups, seen from outside. */
  readonly groups: LogGroups;

  /** Connects. @throws KappaError that names what cannot be reached and what to do. */
  start(options?: { readonly signal?: AbortSignal }): Promise<void>;
  /**
   * A stop begins: all goes on, but as soon as something has waited for the log for `graceMs` milliseconds, all that waits for it
   * fails. Drivers whose waits are bounded by others have none.
   */
  hurry?(graceMs: number): void;
  /** Leaves groups, closes sessions and connections. May be called twice. */
  stop(): Promise<void>;

  /** Whose log this is; stored with progress, so that a checkpoint is never used on another log. */
  identity(): Promise<LogIdentity>;

  /**
   * Creates the topic, or confirms that it stands as specified. Another retention is brought about where topics are this log's
   * own (memory, postgres); where they are governed elsewhere (Kafka), what differs is reported in `differences` and changed by
   * nobody here.
   * @throws KAPPA_TOPIC_MISMATCH when it exists with another number of partitions; KAPPA_UNSUPPORTED for a compaction that this
   *         log cannot give.
   */
  createTopic(spec: TopicSpec): Promise<TopicDescription>;
  describeTopic(name: TopicName): Promise<TopicDescription | null>;
  listTopics(): Promise<readonly TopicDescription[]>;

  /** Begin and end of each partition, by partition number. @throws KAPPA_UNKNOWN_TOPIC */
  offsets(topic: TopicName): Promise<readonly PartitionOffsets[]>;
  /** The first offset of each partition whose record was appended at or after this time; the end where there is none. */
  offsetsAt(topic: TopicName, timestampMs: number): Promise<readonly Offset[]>;

  /**
   * Appends all records or none; records of one partition keep their order.
   * Returns the position after them.
   * @throws KAPPA_RECORD_TOO_LARGE before anything is written; RetriableError when nothing was written;
   *         UnknownOutcomeError when the connection was lost at the commit.
   */
  append(records: readonly NewRecord[]): Promise<Position>;

  /** Reads partitions from given offsets, independent of any group; ends at `to`, or follows until the signal aborts. */
  read(options: ReadOptions): AsyncIterable<LogBatch>;

  /** Joins a consumer group. Partitions of the same number of all topics go to the same member. */
  join(options: JoinOptions): Promise<GroupMember>;
  /** What the group has committed by sessions; partitions without a commit are absent. */
  committed(group: string): Promise<Position>;

  /** Opens the one transactional session of a task and fences every earlier one of that task. */
  openSession(task: string): Promise<LogSession>;

  /**
   * Opens the one writer of a partition that a task has, and fences every earlier one: what those have under way stands in the log
   * when this resolves, or never will. Look at the end of the partition after this, never before.
   */
  openWriter(task: string, topic: TopicName, partition: number): Promise<PartitionWriter>;
}

export interface LogLimits {
  /** Default 900 KB (921,600). A larger record is refused before the append commits. */
  readonly maxRecordBytes: number;
}

export const DEFAULT_MAX_RECORD_BYTES = 900 * 1024;

export interface LogIdentity {
  readonly driver: string;
  /** The cluster or database this log lives in; another value means another log. */
  readonly cluster: string;
}

export interface TopicSpec {
  readonly name: TopicName;
  readonly partitions: number;
  /** Null: for ever. */
  readonly retention: Retention | null;
  /** Of each key the newest record is kept, older ones may go. Default false. */
  readonly compaction?: boolean;
}

export interface TopicDescription extends TopicSpec {
  /** Another value when the topic was deleted and created again: checkpoints of the former do not count. */
  readonly incarnation: string;
  /** Where the topic stands otherwise than it was specified; left out where it does not, or nothing was specified. */
  readonly differences?: readonly TopicDifference[];
}

export interface TopicDifference {
  /** `retention.ms`, `cleanup.policy`, `replication factor` …, as the log calls it. */
  readonly setting: string;
  readonly declared: string;
  readonly actual: string;
}

export interface PartitionOffsets {
  readonly partition: number;
  /** The first offset that is still there; equals `end` in a partition that never held anything. */
  readonly begin: Offset;
  /** The next offset: one past the last that was given (Kafka's high watermark). */
  readonly end: Offset;
}

export interface LogBatch {
  readonly topic: TopicName;
  readonly partition: number;
  /** In offset order; may be empty although the position moved. */
  readonly records: readonly LogRecord[];
  /** The same records for a reader that takes some at a time, see {@link piecesOf}; left out where they are at hand anyway. */
  readonly onDemand?: RecordSource;
  /**
   * Gives back the memory of its records, for those that are read next. Only for whoever holds nothing of it any more: no record, and
   * no bytes of a value. Need not be called.
   */
  release?(): void;
  /** Where the next read goes on; all before it is proven scanned. */
  readonly next: Offset;
  /** The end of the partition as known when this was read: `end - next` is the lag. */
  readonly end: Offset;
}

/** Records that are made each time that they are asked for, and kept by nobody else. */
export interface RecordSource {
  readonly length: number;
  slice(from: number, to: number): readonly LogRecord[];
}

export interface ReadOptions {
  /** Which partitions, and from where. */
  readonly from: Position;
  /** Exclusive ends; a partition that is not named is followed for ever. Must be known ends, from `offsets`. */
  readonly to?: Position;
  /** Default 5,000. */
  readonly maxBatchRecords?: number;
  /** Default 8 MiB. At least one record is given, whatever its size. */
  readonly maxBatchBytes?: number;
  readonly signal?: AbortSignal;
}

export interface PollOptions {
  /** Default 5,000 over all partitions. */
  readonly maxRecords?: number;
  /** Default 8 MiB. */
  readonly maxBytes?: number;
  /**
   * Partitions that are so far behind that one of them fills the poll are read one after another, each until it has drawn level: a
   * batch has many records of few keys then, and nobody is level later for it. Where the log cannot, or by default, each is read a
   * little.
   */
  readonly deep?: boolean;
  /** How long to wait when nothing is there. Default 1,000. */
  readonly maxWaitMs?: number;
  readonly signal?: AbortSignal;
}

export interface JoinOptions {
  readonly group: string;
  readonly topics: readonly TopicName[];
  /** The member takes batches in pieces: their records are left to be made by `onDemand`, where the log can. Default: they are made. */
  readonly onDemand?: boolean;
  /**
   * Called inside `poll` with partitions this member now owns; awaited before their first record is given.
   * Returns from where each is read; a partition left out starts at the group's committed offset, else at the begin.
   */
  assigned(partitions: readonly PartitionKey[]): Promise<Position>;
  /** Called inside `poll` or `leave` before another member may own the partitions (`lost`: another may own them already). */
  revoked(partitions: readonly PartitionKey[], reason: 'rebalance' | 'lost' | 'leave'): Promise<void>;
}

/**
 * Membership of a group. Its heartbeat goes on in the background; assignment changes only inside `poll`, so that the caller is
 * never in the middle of a batch. A member whose heartbeat stops for longer than the session timeout (10 s by default) loses its
 * partitions, and so does one that lives but does not poll for far longer (minutes): leases are for liveness, epochs are for
 * safety.
 */
export interface GroupMember {
  readonly assignment: readonly PartitionKey[];
  /** At most one batch per partition, those with something new; empty after `maxWaitMs` or a change of assignment. */
  poll(options?: PollOptions): Promise<readonly LogBatch[]>;
  /** The next poll of this partition starts here. @throws LogTruncatedError from that poll when it lies before the begin. */
  seek(topic: TopicName, partition: number, offset: Offset): void;
  /** Gives all partitions back (after `revoked`) and leaves. May be called twice. */
  leave(): Promise<void>;
}

export interface LogSession {
  readonly task: string;
  /** One at a time. Records and offsets of it commit together or not at all. */
  begin(): LogTransaction;
  close(): Promise<void>;
}

export interface LogTransaction {
  append(records: readonly NewRecord[]): void;
  commitOffsets(group: string, position: Position): void;
  /** @throws FencedError when a later session of the task was opened; nothing was written then. */
  commit(): Promise<CommitOutcome>;
  /** Drops what was gathered. */
  abort(): Promise<void>;
}

export type CommitOutcome =
  | { readonly outcome: 'committed'; readonly position: Position }
  | { readonly outcome: 'aborted'; readonly cause: unknown }
  /** Open the session again (which settles what is pending), read the position, then decide. */
  | { readonly outcome: 'unknown'; readonly cause: unknown };

/** Writes to one partition as nobody else does. */
export interface PartitionWriter {
  /**
   * Appends in order; one call at a time. Visible to readers at once. After any error it is over: some of the records, from the
   * first on, may have been written. Open it anew, which settles that, and look at the end.
   * @throws FencedError when a later writer of the task was opened; nothing was written since
   */
  write(records: readonly NewRecord[]): Promise<void>;
  /** May be called twice. */
  close(): Promise<void>;
}

/** Tells a log that records were committed beside it, so that readers in this process wake at once. */
export interface AppendSignal {
  /** `records`: what was appended, those of a partition in their order; a log may keep it for readers that follow closely. */
  appended(position: Position, records?: () => readonly LogRecord[]): void;
}
