import type { Offset, TopicName } from '../../kernel/names.js';
import type { PartitionKey } from '../../kernel/position.js';
import type { GroupMember, JoinOptions, LogBatch, PollOptions } from '../event-log.js';
import type { GroupSeat, SeatRequest } from './group-seat.js';
import { HeldPartitions, type HeldLog, type MemberTopic } from './held-partitions.js';
import { memberLeft, pollsTwice } from './member-errors.js';
import { planAssignment, type GroupState } from './plan-assignment.js';

/** What a member needs of its log. */
export interface MemberLog extends HeldLog {
  takeSeat(request: SeatRequest): Promise<GroupSeat>;
  /** The member reads no more. */
  left?(member: PollingMember): void;
}

export const DEFAULT_MAX_WAIT_MS = 1_000;
/** Changes of the group that one poll follows; the next poll goes on. */
const MAX_ROUNDS = 8;

/**
 * A group member of drivers that read by pages. Partition numbers are given to members, so that partition N of all topics has
 * one owner; everything that changes what is owned happens inside `poll`.
 */
export class PollingMember implements GroupMember {
  readonly #held: HeldPartitions;
  #numbers: readonly number[] = [];
  #seat: GroupSeat | null = null;
  #settled: GroupState | null = null;
  #nudge: AbortController | null = null;
  /** The poll under way. */
  #polling: Promise<unknown> | null = null;
  #lastPoll = performance.now();
  #left: Promise<void> | null = null;
  /** It has left, though the database may not know it yet: the seat is to run out. */
  #gone = false;

  /** `maxPollIntervalMs`: a member that polls less often loses its partitions. */
  constructor(
    private readonly log: MemberLog,
    private readonly topics: readonly MemberTopic[],
    private readonly options: JoinOptions,
    private readonly maxPollIntervalMs: number,
  ) {
    this.#held = new HeldPartitions(log, topics, options);
  }

  /** Takes the seat; partitions are assigned by the first poll. */
  async join(): Promise<void> {
    this.#seat = await this.log.takeSeat({
      group: this.options.group,
      topics: this.topics.map(({ name }) => name),
      partitions: Math.max(...this.topics.map(({ partitions }) => partitions)),
      changed: () => this.#nudge?.abort(),
      isPolling: () => !this.#gone && (this.#polling !== null || performance.now() - this.#lastPoll < this.maxPollIntervalMs),
    });
  }

  get assignment(): readonly PartitionKey[] {
    return this.#held.keys;
  }

  /** The first record that it has not been given; undefined for what it does not hold. */
  nextOf(partition: PartitionKey): Offset | undefined {
    return this.#held.nextOf(partition);
  }

  async poll(options: PollOptions = {}): Promise<readonly LogBatch[]> {
    const seat = this.#seat;
    if (!seat || this.#left) throw memberLeft(this.options.group);
    if (this.#polling) throw pollsTwice(this.options.group);
    const polled = this.#pollSeated(seat, options);
    this.#polling = polled;
    try {
      return await polled;
    } finally {
      this.#polling = null;
      this.#lastPoll = performance.now();
    }
  }

  seek(topic: TopicName, partition: number, offset: Offset): void {
    this.#held.seek(topic, partition, offset);
  }

  /** The partition stays assigned and is not read until `resume`: for a reader that takes each at its own pace. */
  pause(topic: TopicName, partition: number): void {
    this.#held.pause(topic, partition);
  }

  /** Also a poll that waits reads it again. */
  resume(topic: TopicName, partition: number): void {
    if (this.#held.resume(topic, partition)) this.#nudge?.abort();
  }

  /** Asks the group anew whether the partitions of this number are still this member's: for one that found itself fenced. */
  async stillOwns(partition: number): Promise<boolean> {
    const seat = this.#seat;
    if (!seat || this.#left) return false;
    await seat.renew();
    return seat.state.members.includes(seat.member) && seat.state.owners[partition] === seat.member;
  }

  async leave(): Promise<void> {
    this.#left ??= this.#leaveSeat();
    await this.#left;
  }

  async #leaveSeat(): Promise<void> {
    this.#nudge?.abort();
    const seat = this.#seat;
    if (!seat) return;
    await this.#polling?.catch(() => undefined);
    await this.#held.settled();
    try {
      await this.#drop(this.#numbers, 'leave');
    } finally {
      this.#gone = true;
      try {
        await seat.leave();
      } finally {
        this.log.left?.(this);
      }
    }
  }

  async #pollSeated(seat: GroupSeat, options: PollOptions): Promise<readonly LogBatch[]> {
    const deadline = performance.now() + (options.maxWaitMs ?? DEFAULT_MAX_WAIT_MS);
    for (;;) {
      // From here on a change of the group ends the wait below.
      this.#nudge = new AbortController();
      if (await this.#settle(seat)) return [];
      if (this.#left) return [];
      const batches = await this.#held.fetch(options);
      if (batches.length > 0) return batches;
      const timeoutMs = deadline - performance.now();
      if (timeoutMs <= 0 || options.signal?.aborted || this.#left) return [];
      await this.#wait(timeoutMs, options.signal);
    }
  }

  async #wait(timeoutMs: number, signal: AbortSignal | undefined): Promise<void> {
    const nudge = this.#nudge ?? new AbortController();
    const abort = () => nudge.abort();
    signal?.addEventListener('abort', abort, { once: true });
    try {
      await this.log.grown(this.#held.position, { signal: nudge.signal, timeoutMs });
    } finally {
      signal?.removeEventListener('abort', abort);
    }
  }

  /** Gives up, takes and adopts until the group's state asks for nothing more. True when the assignment changed. */
  async #settle(seat: GroupSeat): Promise<boolean> {
    let changed = false;
    if (!seat.isFresh()) await this.#renew(seat);
    for (let round = 0; seat.state !== this.#settled && round < MAX_ROUNDS; round++) {
      const { state } = seat;
      const plan = planAssignment(seat.member, this.#numbers, state);
      if (plan.lost.length > 0) {
        changed = true;
        await this.#drop(plan.lost, 'lost');
      }
      if (!state.members.includes(seat.member)) await seat.renew();
      else if (plan.giveUp.length > 0) {
        changed = true;
        await this.#giveUp(seat, plan.giveUp);
      } else if (plan.adopt.length > 0) {
        changed = true;
        await this.#adopt(seat, plan.adopt);
      } else if (plan.claim.length > 0) await seat.claim(plan.claim);
      else this.#settled = state;
    }
    return changed;
  }

  async #renew(seat: GroupSeat): Promise<void> {
    try {
      await seat.renew();
    } catch (error) {
      await this.#drop(this.#numbers, 'lost');
      throw error;
    }
  }

  async #giveUp(seat: GroupSeat, numbers: readonly number[]): Promise<void> {
    try {
      await this.#drop(numbers, 'rebalance');
    } finally {
      await seat.release(numbers);
    }
  }

  async #adopt(seat: GroupSeat, numbers: readonly number[]): Promise<void> {
    try {
      await this.#held.add(numbers);
      this.#numbers = [...this.#numbers, ...numbers];
    } catch (error) {
      await seat.release(numbers);
      throw error;
    }
  }

  async #drop(numbers: readonly number[], reason: 'rebalance' | 'lost' | 'leave'): Promise<void> {
    if (numbers.length === 0) return;
    this.#numbers = this.#numbers.filter((number) => !numbers.includes(number));
    // What is no longer held may still be owned: the state is to be looked at anew.
    this.#settled = null;
    await this.#held.drop(numbers, reason);
  }
}
