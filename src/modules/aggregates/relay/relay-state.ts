import type { Offset, TopicName } from '../../../kernel/names.js';

/**
 * What the relay of a partition does:
 *
 * | state    | meaning                                                           | goes to                   |
 * |----------|-------------------------------------------------------------------|---------------------------|
 * | opening  | fences earlier owners, settles what they left, reads its position | relaying, waiting, failed |
 * | relaying | sends what is appended, or waits for the next append              | opening, waiting, failed  |
 * | waiting  | log or database is away; tries again by itself, less and less often | relaying, failed        |
 * | failed   | what it found does not agree; looks again twice a minute          | relaying, waiting         |
 */
export type PartitionRelayState = 'opening' | 'relaying' | 'waiting' | 'failed';

export interface PartitionRelayStatus {
  readonly topic: TopicName;
  readonly partition: number;
  readonly state: PartitionRelayState;
  /** Since when it is in this state. */
  readonly since: Date;
  /** The next log offset to relay; null before it is known. */
  readonly next: Offset | null;
  /** Why it waits or failed. */
  readonly error: string | null;
}

/** What the relay of this process does, for health checks. */
export interface RelayHealth {
  /**
   * `relaying`: all its partitions are relayed, or others own them. `waiting-for-log`, `waiting-for-database`: one of the two is
   * away, and work goes on by itself. `failed`: a partition needs somebody's attention. `stopped`: not started, or stopped.
   */
  readonly state: 'relaying' | 'waiting-for-log' | 'waiting-for-database' | 'failed' | 'stopped';
  readonly since: Date;
  /** In words, for a person: `waiting for kafka since 2026-01-31T12:00:00.000Z: …` */
  readonly text: string;
  readonly partitions: readonly PartitionRelayStatus[];
}
