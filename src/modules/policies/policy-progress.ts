import type { Queryable } from '../../database/database.js';
import type { PartitionCheckpoint, PartitionClaim, ProgressMove } from '../../database/partition-progress.js';
import type { PartitionKey } from '../../kernel/position.js';
import type { LogIdentity, PartitionOffsets, TopicDescription } from '../../log/event-log.js';
import type { AcceptedTopic } from './accept-log.js';
import type { PolicyDefinition } from './policy.js';

/** One line of progress: what a policy has handled of one partition. */
export interface PolicyPartition extends PartitionCheckpoint {
  readonly ownerEpoch: number;
  /** Commands that were refused here and ignored. */
  readonly refused: number;
}

/** What halted a policy: shown by status, cleared when it goes on. */
export interface PolicyError {
  readonly code: string;
  readonly message: string;
  readonly stack: string | null;
  /** Where in the log, when an event is at fault. */
  readonly at: {
    readonly topic: string;
    readonly partition: number;
    readonly offset: number;
    readonly type: string | null;
  } | null;
  /** ISO 8601. */
  readonly since: string;
}

/** A policy as it is known to the database. */
export interface KnownPolicy {
  readonly name: string;
  readonly startAt: 'end' | 'beginning';
  readonly error: PolicyError | null;
}

export interface NewPolicyTopic {
  readonly description: TopicDescription;
  readonly offsets: readonly PartitionOffsets[];
}

/** How far policies have come, by policy, topic and partition. */
export interface PolicyProgress {
  list(): Promise<readonly KnownPolicy[]>;
  get(policy: string): Promise<KnownPolicy | null>;
  /** Sorted by topic and partition. */
  partitions(policy: string): Promise<readonly PolicyPartition[]>;
  /** Makes the lines of topics that are seen for the first time; lines that stand already stay as they are. */
  begin(policy: Pick<PolicyDefinition, 'name' | 'startAt'>, topics: readonly NewPolicyTopic[], log: LogIdentity): Promise<void>;
  /** One UPDATE that raises the epochs and returns the offsets to go on from. @throws KAPPA_UNKNOWN_PARTITION */
  claim(policy: string, partitions: readonly PartitionKey[]): Promise<readonly PartitionClaim[]>;
  /** The compare-and-set of offset and epoch, all lines or none; false when a later owner has one of them. */
  advance(on: Queryable, policy: string, moves: readonly ProgressMove[]): Promise<boolean>;
  /** Whether the epoch still owns the partition; its line stays locked until the transaction ends. */
  owns(on: Queryable, policy: string, partition: Pick<ProgressMove, 'topic' | 'partition' | 'epoch'>): Promise<boolean>;
  /** Counts ignored refusals, in the transaction that moves over their events. */
  countRefused(on: Queryable, policy: string, refused: ReadonlyMap<PartitionKey, number>): Promise<void>;
  /** Lets it go on elsewhere, fences whoever owns its partitions, and clears what halted it, all in one transaction. */
  accept(policy: string, topics: readonly AcceptedTopic[], log: LogIdentity): Promise<void>;
  setError(policy: string, error: PolicyError | null): Promise<void>;
}
