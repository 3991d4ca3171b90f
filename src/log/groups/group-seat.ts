import type { TopicName } from '../../kernel/names.js';
import type { GroupState } from './plan-assignment.js';

/** One member's place in a group, as a driver keeps it. Every operation resolves with the state that followed it. */
export interface GroupSeat {
  readonly member: string;
  /** As last seen; another object when anything changed. */
  readonly state: GroupState;
  /** False when the lease may have ended since it was last renewed: look again before relying on `state`. */
  isFresh(): boolean;
  /** Takes the place again after the lease ended, and renews it otherwise. */
  renew(): Promise<void>;
  /** Takes those of the numbers that are free; others may have been faster. */
  claim(numbers: readonly number[]): Promise<void>;
  release(numbers: readonly number[]): Promise<void>;
  /** Frees all numbers and the place itself. */
  leave(): Promise<void>;
}

export interface SeatRequest {
  readonly group: string;
  readonly topics: readonly TopicName[];
  /** The largest number of partitions of the member's topics. */
  readonly partitions: number;
  /** Called when `state` has changed. */
  changed(): void;
  /** False while the member has not polled for too long: its lease is not renewed then. */
  isPolling(): boolean;
}
