import { partitionKey, type PartitionKey } from '../../kernel/position.js';
import type { LogRecord } from '../../kernel/record.js';
import { placeOf, placeText, storable, type Aside, type Lane, type LetterReason } from './dead-letter.js';
import type { Standing } from './dead-letter-store.js';

/** What is done with a record: `full` when it would have to be set aside and the bound is reached. */
export type Sorted = 'take' | 'aside' | 'skip' | 'full';

/**
 * What an owner of partitions knows of records that were set aside: which keys wait, which records are skipped on purpose, and
 * which are at fault as it has just found. Only what was committed becomes known here; all is read anew after every claim.
 */
export class ParkedKeys {
  readonly #lanes = new Map<PartitionKey, Set<string>>();
  readonly #discards = new Map<PartitionKey, Set<number>>();
  /** By place: records that were judged and are to be written as letters. */
  readonly #condemned = new Map<string, Omit<Aside, 'record'>>();
  #open = 0;

  constructor(private readonly maxLetters: number) {}

  /** Records of the owner that wait, in all partitions, as last heard. */
  get open(): number {
    return this.#open;
  }

  /** True while a record has to be looked at before it is taken. */
  get watchful(): boolean {
    return this.#lanes.size > 0 || this.#discards.size > 0 || this.#condemned.size > 0;
  }

  /** Takes in what stands aside in partitions that were claimed. */
  load(partitions: readonly PartitionKey[], { lanes, discards, open }: Standing): void {
    this.drop(partitions);
    for (const { topic, partition, key } of lanes) setOf(this.#lanes, partitionKey(topic, partition)).add(key);
    for (const { topic, partition, offset } of discards) setOf(this.#discards, partitionKey(topic, partition)).add(offset);
    this.#open = open;
  }

  drop(partitions: readonly PartitionKey[]): void {
    for (const key of partitions) {
      this.#lanes.delete(key);
      this.#discards.delete(key);
    }
    this.#condemned.clear();
  }

  /** From now on the record is written as a letter when it comes. */
  condemn(record: LogRecord, reason: LetterReason, attempts: number): void {
    this.#condemned.set(placeText(placeOf(record)), { reason, attempts });
  }

  /** Nothing of the lane waits any more. */
  free({ topic, partition, key }: Lane): void {
    if (key === null) return;
    const partitionOf = partitionKey(topic, partition);
    const lanes = this.#lanes.get(partitionOf);
    lanes?.delete(key);
    if (lanes?.size === 0) this.#lanes.delete(partitionOf);
  }

  counted(open: number): void {
    this.#open = open;
  }

  /** One attempt at some records. */
  sort(): Sorting {
    return new Sorting(this, {
      lanes: this.#lanes,
      discards: this.#discards,
      condemned: this.#condemned,
      maxLetters: this.maxLetters,
    });
  }
}

interface Known {
  readonly lanes: Map<PartitionKey, Set<string>>;
  readonly discards: ReadonlyMap<PartitionKey, ReadonlySet<number>>;
  readonly condemned: Map<string, Omit<Aside, 'record'>>;
  readonly maxLetters: number;
}

/** Sorts the records of one transaction; forgotten without a trace unless `committed` is called. */
export class Sorting {
  readonly #asides: Aside[] = [];
  /** Lanes that letters of this attempt open. */
  readonly #opened = new Map<PartitionKey, Set<string>>();

  constructor(
    private readonly parked: ParkedKeys,
    private readonly known: Known,
  ) {}

  /** What is to be set aside, in log order within each partition. */
  get asides(): readonly Aside[] {
    return this.#asides;
  }

  /** `wants`: whether its owner handles such records at all; others are passed over. */
  sort(record: LogRecord, wants: (record: LogRecord) => boolean): Sorted {
    if (!this.parked.watchful && this.#opened.size === 0) return 'take';
    const partition = partitionKey(record.topic, record.partition);
    if (this.known.discards.get(partition)?.has(record.offset)) return 'skip';
    if (!wants(record)) return 'take';
    const verdict = this.known.condemned.get(placeText(placeOf(record)));
    if (!verdict && !this.#isParked(partition, record.key)) return 'take';
    if (this.parked.open + this.#asides.length >= this.known.maxLetters) return 'full';
    this.#asides.push({ record, reason: verdict?.reason ?? null, attempts: verdict?.attempts ?? 0 });
    if (verdict && record.key !== null) setOf(this.#opened, partition).add(storable(record.key));
    return 'aside';
  }

  /** Forgets followers from `first` on whose records, all of one partition, were not reached after all. */
  unsort(first: number, offset: number): void {
    while (this.#asides.length > first && (this.#asides.at(-1)?.record.offset ?? -1) >= offset) this.#asides.pop();
  }

  /** Only now is it known: had the transaction failed, nothing would have been set aside. */
  committed(open: number): void {
    for (const [partition, keys] of this.#opened) for (const key of keys) setOf(this.known.lanes, partition).add(key);
    for (const { record, reason } of this.#asides) if (reason) this.known.condemned.delete(placeText(placeOf(record)));
    this.parked.counted(open);
  }

  #isParked(partition: PartitionKey, key: string | null): boolean {
    if (key === null) return false;
    const text = storable(key);
    return (this.known.lanes.get(partition)?.has(text) ?? false) || (this.#opened.get(partition)?.has(text) ?? false);
  }
}

function setOf<T>(sets: Map<PartitionKey, Set<T>>, key: PartitionKey): Set<T> {
  let set = sets.get(key);
  if (!set) sets.set(key, (set = new Set()));
  return set;
}
