import type { Offset, TopicName } from '../../kernel/names.js';
import { partitionKey, type PartitionKey, type Position } from '../../kernel/position.js';
import type { GroupMember, JoinOptions, LogBatch, PartitionOffsets, PollOptions } from '../event-log.js';
import { provenNext, type PageSource, type PageWish } from '../page-source.js';
import { DEFAULT_BATCH_BYTES, DEFAULT_BATCH_RECORDS } from '../read-partitions.js';
import type { GroupSeat, SeatRequest } from './group-seat.js';
import { memberLeft, notAssigned, pollsTwice } from './member-errors.js';
import { planAssignment, type GroupState } from './plan-assignment.js';

/** What a member needs of its log. */
export interface MemberLog extends PageSource {
  takeSeat(request: SeatRequest): Promise<GroupSeat>;
  offsets(topic: TopicName): Promise<readonly PartitionOffsets[]>;
  committed(group: string): Promise<Position>;
}

export interface MemberTopic {
  readonly name: TopicName;
  readonly partitions: number;
}

interface Held {
  readonly key: PartitionKey;
  readonly topic: TopicName;
  readonly partition: number;
  next: Offset;
}

const DEFAULT_MAX_WAIT_MS = 1_000;
/** Changes of the group that one poll follows; the next poll goes on. */
const MAX_ROUNDS = 8;

/**
 * A group member of drivers that read by pages. Partition numbers are given to members, so that partition N of all topics has
 * one owner; everything that changes what is owned happens inside `poll`.
 */
export class PollingMember implements GroupMember {
  readonly #held = new Map<PartitionKey, Held>();
  readonly #paused = new Set<PartitionKey>();
  #numbers: readonly number[] = [];
  #seat: GroupSeat | null = null;
  #settled: GroupState | null = null;
  #nudge: AbortController | null = null;
  /** The poll under way. */
  #polling: Promise<unknown> | null = null;
  #lastPoll = performance.now();
  #turn = 0;
  #left: Promise<void> | null = null;
  /** It has left, though the database may not know it yet: the seat is to run out. */
  #gone = false;

  /** `maxPollIntervalMs`: a member that polls less often loses its partitions. */
  constructor(
    private readonly log: MemberLog,
    private readonly topics: readonly MemberTopic[],
    private readonly options: JoinOptions,
    private readonly maxPollIntervalMs: number,
  ) {}

  /** Takes the seat; partitions are assigned by the first poll. */
  async join(): Promise<void> {
    this.#seat = await this.log.takeSeat({
      group: this.options.group,
      partitions: Math.max(...this.topics.map(({ partitions }) => partitions)),
      changed: () => this.#nudge?.abort(),
      isPolling: () => !this.#gone && (this.#polling !== null || performance.now() - this.#lastPoll < this.maxPollIntervalMs),
    });
  }

  get assignment(): readonly PartitionKey[] {
    return [...this.#held.keys()];
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
    const held = this.#held.get(partitionKey(topic, partition));
    if (!held) throw notAssigned(this.options.group, topic, partition, this.assignment);
    held.next = offset;
  }

  /** The partition stays assigned and is not read until `resume`: for a reader that takes each at its own pace. */
  pause(topic: TopicName, partition: number): void {
    this.#paused.add(partitionKey(topic, partition));
  }

  /** Also a poll that waits reads it again. */
  resume(topic: TopicName, partition: number): void {
    if (this.#paused.delete(partitionKey(topic, partition))) this.#nudge?.abort();
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
    try {
      await this.#drop(this.#numbers, 'leave');
    } finally {
      this.#gone = true;
      await seat.leave();
    }
  }

  async #pollSeated(seat: GroupSeat, options: PollOptions): Promise<readonly LogBatch[]> {
    const deadline = performance.now() + (options.maxWaitMs ?? DEFAULT_MAX_WAIT_MS);
    for (;;) {
      // From here on a change of the group ends the wait below.
      this.#nudge = new AbortController();
      if (await this.#settle(seat)) return [];
      if (this.#left) return [];
      const batches = await this.#fetch(options);
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
      await this.log.grown(Object.fromEntries(this.#read().map(({ key, next }) => [key, next])), {
        signal: nudge.signal,
        timeoutMs,
      });
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
    const added = this.#partitionsOf(numbers);
    try {
      const starts = await this.#starts(added);
      for (const { key, topic, partition } of added)
        this.#held.set(key, { key, topic, partition, next: starts[key] as Offset });
      this.#numbers = [...this.#numbers, ...numbers];
    } catch (error) {
      await seat.release(numbers);
      throw error;
    }
  }

  /** Where the member says, else what the group has committed, else the begin. */
  async #starts(
    added: readonly { key: PartitionKey; topic: TopicName; partition: number }[],
  ): Promise<Record<PartitionKey, number>> {
    const starts: Record<PartitionKey, number> = { ...(await this.options.assigned(added.map(({ key }) => key))) };
    if (added.some(({ key }) => starts[key] === undefined)) {
      const committed = await this.log.committed(this.options.group);
      for (const { key } of added) starts[key] ??= committed[key] as number;
    }
    const begins = new Map<TopicName, readonly PartitionOffsets[]>();
    for (const { key, topic, partition } of added) {
      if (starts[key] !== undefined) continue;
      const known = begins.get(topic) ?? (await this.log.offsets(topic));
      begins.set(topic, known);
      starts[key] = known[partition]?.begin ?? 0;
    }
    return starts;
  }

  async #drop(numbers: readonly number[], reason: 'rebalance' | 'lost' | 'leave'): Promise<void> {
    if (numbers.length === 0) return;
    const dropped = this.#partitionsOf(numbers).map(({ key }) => key);
    this.#numbers = this.#numbers.filter((number) => !numbers.includes(number));
    for (const key of dropped) {
      this.#held.delete(key);
      this.#paused.delete(key);
    }
    // What is no longer held may still be owned: the state is to be looked at anew.
    this.#settled = null;
    if (dropped.length > 0) await this.options.revoked(dropped, reason);
  }

  #partitionsOf(numbers: readonly number[]): { key: PartitionKey; topic: TopicName; partition: number }[] {
    return this.topics.flatMap(({ name, partitions }) =>
      numbers
        .filter((number) => number < partitions)
        .map((partition) => ({ key: partitionKey(name, partition), topic: name, partition })),
    );
  }

  async #fetch(options: PollOptions): Promise<readonly LogBatch[]> {
    const grown = this.#read().filter(({ key, next }) => (this.log.knownEnd(key) ?? Infinity) > next);
    if (grown.length === 0) return [];
    const wishes = this.#wishes(grown, options);
    const pages = await this.log.pages(wishes);
    const batches: LogBatch[] = [];
    wishes.forEach((wish, index) => {
      const page = pages[index];
      const held = this.#held.get(partitionKey(wish.topic, wish.partition));
      // What was sought or paused meanwhile is read again, from where it stands now.
      if (!page || held?.next !== wish.from || this.#paused.has(held.key)) return;
      const next = provenNext(wish, page);
      if (next === held.next) return;
      batches.push({ topic: wish.topic, partition: wish.partition, records: page.records, next, end: page.end });
    });
    // Only when all pages are good: a batch that is not given must be read again.
    for (const { topic, partition, next } of batches) {
      const held = this.#held.get(partitionKey(topic, partition));
      if (held) held.next = next;
    }
    return batches;
  }

  #read(): readonly Held[] {
    return [...this.#held.values()].filter(({ key }) => !this.#paused.has(key));
  }

  /** The bounds of a poll divided among the partitions that have grown; where they are too many, others come first next time. */
  #wishes(grown: readonly Held[], options: PollOptions): PageWish[] {
    const maxRecords = options.maxRecords ?? DEFAULT_BATCH_RECORDS;
    const from = this.#turn++ % grown.length;
    const chosen = [...grown.slice(from), ...grown.slice(0, from)].slice(0, maxRecords);
    return chosen.map(({ topic, partition, next }) => ({
      topic,
      partition,
      from: next,
      to: null,
      maxRecords: Math.max(1, Math.floor(maxRecords / chosen.length)),
      maxBytes: Math.max(1, Math.floor((options.maxBytes ?? DEFAULT_BATCH_BYTES) / chosen.length)),
    }));
  }
}
