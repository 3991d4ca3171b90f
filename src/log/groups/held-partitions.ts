import type { Offset, TopicName } from '../../kernel/names.js';
import { partitionKey, type PartitionKey, type Position } from '../../kernel/position.js';
import type { JoinOptions, LogBatch, PartitionOffsets, PollOptions } from '../event-log.js';
import { PageBatch } from '../page-batch.js';
import { provenNext, type PageSource, type PageWish } from '../page-source.js';
import { DEFAULT_BATCH_BYTES, DEFAULT_BATCH_RECORDS } from '../read-partitions.js';
import { notAssigned } from './member-errors.js';
import { PagesAhead } from './pages-ahead.js';

/** What a member needs of its log to read what it holds. */
export interface HeldLog extends PageSource {
  offsets(topic: TopicName): Promise<readonly PartitionOffsets[]>;
  committed(group: string): Promise<Position>;
  /**
   * Any range may be asked for at any time, also while others are being read: the next pages are read while the member works on
   * the last, and a poll may take all from one partition.
   */
  readonly readsRanges?: boolean;
}

export interface MemberTopic {
  readonly name: TopicName;
  readonly partitions: number;
}

export interface Place {
  readonly key: PartitionKey;
  readonly topic: TopicName;
  readonly partition: number;
}

interface Held extends Place {
  next: Offset;
}

/** Polls that take all from one partition before another has its turn. */
const DEEP_POLLS = 32;

/** The partitions that a member owns, and from where each is read next. Who owns what is decided elsewhere. */
export class HeldPartitions {
  readonly #held = new Map<PartitionKey, Held>();
  readonly #paused = new Set<PartitionKey>();
  readonly #ahead: PagesAhead;
  #turn = 0;
  /** Which partition deep polls read, and before which turn. */
  #deep: { readonly key: PartitionKey | null; readonly until: number } = { key: null, until: 0 };

  constructor(
    private readonly log: HeldLog,
    private readonly topics: readonly MemberTopic[],
    private readonly options: Pick<JoinOptions, 'group' | 'onDemand' | 'assigned' | 'revoked'>,
  ) {
    this.#ahead = new PagesAhead(log);
  }

  get keys(): readonly PartitionKey[] {
    return [...this.#held.keys()];
  }

  /** The first record that is still to be read; undefined for what is not held. */
  nextOf(key: PartitionKey): Offset | undefined {
    return this.#held.get(key)?.next;
  }

  /** Of those that are read. */
  get position(): Position {
    return Object.fromEntries(this.#read().map(({ key, next }) => [key, next]));
  }

  /** Asks the member from where to read, else where the group has committed, else the begin. */
  async add(numbers: readonly number[]): Promise<void> {
    const added = this.#placesOf(numbers);
    const starts = await this.#starts(added);
    for (const place of added) this.#held.set(place.key, { ...place, next: starts[place.key] as Offset });
  }

  /** Tells the member what it owns no longer. */
  async drop(numbers: readonly number[], reason: 'rebalance' | 'lost' | 'leave'): Promise<void> {
    const dropped = this.#placesOf(numbers).map(({ key }) => key);
    for (const key of dropped) {
      this.#held.delete(key);
      this.#paused.delete(key);
    }
    this.#ahead.drop(dropped);
    if (dropped.length > 0) await this.options.revoked(dropped, reason);
  }

  /** @throws KAPPA_NOT_ASSIGNED */
  seek(topic: TopicName, partition: number, offset: Offset): void {
    const held = this.#held.get(partitionKey(topic, partition));
    if (!held) throw notAssigned(this.options.group, topic, partition, this.keys);
    held.next = offset;
  }

  pause(topic: TopicName, partition: number): void {
    this.#paused.add(partitionKey(topic, partition));
  }

  /** True when it was paused. */
  resume(topic: TopicName, partition: number): boolean {
    return this.#paused.delete(partitionKey(topic, partition));
  }

  /** One batch for each partition that may have something new, and moves beyond them. While more is there, the next are read. */
  async fetch(options: PollOptions): Promise<readonly LogBatch[]> {
    const grown = this.#grown();
    if (grown.length === 0) return [];
    const wishes = this.#wishes(grown, options);
    this.#turn += 1;
    const pages = await this.#ahead.pages(wishes);
    const batches: LogBatch[] = [];
    wishes.forEach((wish, index) => {
      const page = pages[index];
      const held = this.#held.get(partitionKey(wish.topic, wish.partition));
      // What was sought or paused meanwhile is read again, from where it stands now.
      if (!page || held?.next !== wish.from || this.#paused.has(held.key)) return;
      const next = provenNext(wish, page);
      if (next === held.next) return;
      batches.push(new PageBatch(wish, page, next));
    });
    // Only when all pages are good: a batch that is not given must be read again.
    for (const { topic, partition, next } of batches) {
      const held = this.#held.get(partitionKey(topic, partition));
      if (held) held.next = next;
    }
    if (this.log.readsRanges && batches.some(({ next, end }) => next < end))
      this.#ahead.begin(this.#wishes(this.#grown(), options));
    return batches;
  }

  /** Resolves when nothing more is being read. */
  settled(): Promise<void> {
    return this.#ahead.settled();
  }

  async #starts(added: readonly Place[]): Promise<Record<PartitionKey, number>> {
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

  #placesOf(numbers: readonly number[]): Place[] {
    return this.topics.flatMap(({ name, partitions }) =>
      numbers
        .filter((number) => number < partitions)
        .map((partition) => ({ key: partitionKey(name, partition), topic: name, partition })),
    );
  }

  #grown(): readonly Held[] {
    return this.#read().filter(({ key, next }) => (this.log.knownEnd(key) ?? Infinity) > next);
  }

  #read(): readonly Held[] {
    return [...this.#held.values()].filter(({ key }) => !this.#paused.has(key));
  }

  /** The bounds of a poll divided among those that it reads; where they are too many, others come first next time. */
  #wishes(grown: readonly Held[], options: PollOptions): PageWish[] {
    const maxRecords = options.maxRecords ?? DEFAULT_BATCH_RECORDS;
    const chosen = this.#chosen(grown, options, maxRecords);
    return chosen.map(({ topic, partition, next }) => ({
      topic,
      partition,
      from: next,
      to: null,
      maxRecords: Math.max(1, Math.floor(maxRecords / chosen.length)),
      maxBytes: Math.max(1, Math.floor((options.maxBytes ?? DEFAULT_BATCH_BYTES) / chosen.length)),
      onDemand: this.options.onDemand ?? false,
    }));
  }

  /** Of those that alone would fill a deep poll one only; all others. */
  #chosen(grown: readonly Held[], options: PollOptions, maxRecords: number): readonly Held[] {
    const far =
      options.deep && this.log.readsRanges
        ? grown.filter(({ key, next }) => (this.log.knownEnd(key) ?? 0) - next >= maxRecords)
        : [];
    const one = this.#inTurn(far);
    const some = one ? grown.filter((held) => held === one || !far.includes(held)) : grown;
    const from = this.#turn % some.length;
    return [...some.slice(from), ...some.slice(0, from)].slice(0, maxRecords);
  }

  /** The same until it has drawn level, or has had its share where it never does. */
  #inTurn(far: readonly Held[]): Held | undefined {
    const held = far.find(({ key }) => key === this.#deep.key);
    if (held && this.#turn < this.#deep.until) return held;
    const after = held ? far.indexOf(held) + 1 : 0;
    const next = far[after % far.length];
    if (next) this.#deep = { key: next.key, until: this.#turn + DEEP_POLLS };
    return next;
  }
}
