import { randomUUID } from 'node:crypto';
import { RetriableError } from '../../../kernel/errors.js';
import type { Offset, TopicName } from '../../../kernel/names.js';
import type { PartitionKey } from '../../../kernel/position.js';
import type { GroupMember, JoinOptions, LogBatch, PollOptions } from '../../event-log.js';
import { HeldPartitions, type HeldLog, type MemberTopic } from '../../groups/held-partitions.js';
import { memberLeft, pollsTwice } from '../../groups/member-errors.js';
import { DEFAULT_MAX_WAIT_MS } from '../../groups/polling-member.js';
import type { Cluster } from '../wire/cluster.js';
import { Membership } from './membership.js';

export interface KafkaMemberOptions {
  readonly sessionTimeoutMs: number;
  readonly heartbeatMs: number;
  /** A member that polls less often loses its partitions. */
  readonly maxMemberSilenceMs: number;
}

/** Pages of its own: what a member reads ahead is its own business. */
export interface MemberPages extends HeldLog {
  close(): void;
}

/** A member of a Kafka consumer group. It reads on while the group changes, and stops only what it must give up. */
export class KafkaMember implements GroupMember {
  readonly #held: HeldPartitions;
  readonly #membership: Membership;
  /** Partition numbers that the caller was told of. */
  #numbers: readonly number[] = [];
  #nudge = new AbortController();
  #polling: Promise<unknown> | null = null;
  #lastPoll = performance.now();
  #left: Promise<void> | null = null;

  constructor(
    cluster: Cluster,
    private readonly pages: MemberPages,
    topics: readonly MemberTopic[],
    private readonly options: JoinOptions,
    { sessionTimeoutMs, heartbeatMs, maxMemberSilenceMs }: KafkaMemberOptions,
    private readonly gone: (member: KafkaMember) => void,
  ) {
    this.#held = new HeldPartitions(pages, topics, options);
    this.#membership = new Membership(
      cluster,
      {
        group: options.group,
        topics: topics.map(({ name }) => name),
        sessionTimeoutMs,
        heartbeatMs,
        isPolling: () => this.#polling !== null || performance.now() - this.#lastPoll < maxMemberSilenceMs,
        changed: () => this.#nudge.abort(),
      },
      randomUUID().slice(0, 8),
    );
  }

  /** Begins to join, in the background; partitions are assigned by the first polls. */
  join(): void {
    this.#membership.start();
  }

  get assignment(): readonly PartitionKey[] {
    return this.#held.keys;
  }

  async poll(options: PollOptions = {}): Promise<readonly LogBatch[]> {
    if (this.#left) throw memberLeft(this.options.group);
    if (this.#polling) throw pollsTwice(this.options.group);
    const polled = this.#poll(options);
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

  async leave(): Promise<void> {
    this.#left ??= this.#leave();
    await this.#left;
  }

  async #leave(): Promise<void> {
    this.#nudge.abort();
    await this.#polling?.catch(() => undefined);
    try {
      await this.#drop(this.#numbers, 'leave');
    } finally {
      await this.#membership.leave();
      this.pages.close();
      this.gone(this);
    }
  }

  async #poll(options: PollOptions): Promise<readonly LogBatch[]> {
    const deadline = performance.now() + (options.maxWaitMs ?? DEFAULT_MAX_WAIT_MS);
    for (;;) {
      // From here on a change of the group ends the wait below.
      this.#nudge = new AbortController();
      if (await this.#settle()) return [];
      if (this.#left) return [];
      const batches = await this.#held.fetch(options);
      if (batches.length > 0) return batches;
      const timeoutMs = deadline - performance.now();
      if (timeoutMs <= 0 || options.signal?.aborted || this.#left) return [];
      await this.#wait(timeoutMs, options.signal);
    }
  }

  async #wait(timeoutMs: number, signal: AbortSignal | undefined): Promise<void> {
    const nudge = this.#nudge;
    const abort = () => nudge.abort();
    signal?.addEventListener('abort', abort, { once: true });
    try {
      await this.pages.grown(this.#held.position, { signal: nudge.signal, timeoutMs });
    } finally {
      signal?.removeEventListener('abort', abort);
    }
  }

  /** Takes up and lets go what the group says. True when the assignment changed. */
  async #settle(): Promise<boolean> {
    const membership = this.#membership;
    const { failure } = membership;
    membership.start();
    if (failure !== null) throw failure;
    if (!membership.isFresh) await this.#confirm();
    if (membership.isLost) {
      const lost = this.#numbers;
      this.#numbers = [];
      membership.acceptLoss();
      if (lost.length > 0) {
        await this.#held.drop(lost, 'lost');
        return true;
      }
    }
    const { assigned } = membership;
    const taken = this.#numbers.filter((number) => !assigned.includes(number));
    if (taken.length > 0) {
      try {
        await this.#drop(taken, 'rebalance');
      } finally {
        membership.released(taken);
      }
      return true;
    }
    const given = assigned.filter((number) => !this.#numbers.includes(number));
    if (given.length === 0) return false;
    // Counted as held from before it is taken up: the group gives it to nobody else meanwhile.
    membership.took(given);
    await this.#held.add(given);
    this.#numbers = [...this.#numbers, ...given];
    return true;
  }

  /** The process stood still, or the brokers are away: nothing is given before the group was asked. */
  async #confirm(): Promise<void> {
    try {
      await this.#membership.confirm();
    } catch (error) {
      const lost = this.#numbers;
      this.#numbers = [];
      await this.#held.drop(lost, 'lost');
      throw new RetriableError(`group ${this.options.group} cannot be asked whether this member still counts`, {
        cause: error,
      });
    }
  }

  async #drop(numbers: readonly number[], reason: 'rebalance' | 'leave'): Promise<void> {
    this.#numbers = this.#numbers.filter((number) => !numbers.includes(number));
    await this.#held.drop(numbers, reason);
  }
}
