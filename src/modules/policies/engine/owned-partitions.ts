import type { PartitionClaim, ProgressMove } from '../../../database/partition-progress.js';
import { partitionKey, type PartitionKey } from '../../../kernel/position.js';
import type { LogRecord } from '../../../kernel/record.js';
import type { LogBatch } from '../../../log/event-log.js';

interface Owned extends PartitionClaim {
  /** What is committed. */
  next: number;
  /** What was scanned beyond it. */
  scanned: number;
  /** Offsets of events that are not handled yet, ascending. */
  readonly open: Set<number>;
}

/** The partitions a runner has claimed: what of each is committed, handled and under way. */
export class OwnedPartitions {
  readonly #owned = new Map<PartitionKey, Owned>();

  take(claims: readonly PartitionClaim[]): void {
    for (const claim of claims) {
      const { topic, partition, nextOffset } = claim;
      this.#owned.set(partitionKey(topic, partition), { ...claim, next: nextOffset, scanned: nextOffset, open: new Set() });
    }
  }

  drop(keys: readonly PartitionKey[]): void {
    for (const key of keys) this.#owned.delete(key);
  }

  get keys(): readonly PartitionKey[] {
    return [...this.#owned.keys()];
  }

  /** Under which epoch a partition is owned; null where it is not. */
  epoch(topic: string, partition: number): number | null {
    return this.#owned.get(partitionKey(topic, partition))?.epoch ?? null;
  }

  /** What is committed of a partition; 0 of one that is not owned. */
  next(topic: string, partition: number): number {
    return this.#owned.get(partitionKey(topic, partition))?.next ?? 0;
  }

  /** True while something scanned is not committed. */
  get ahead(): boolean {
    for (const owned of this.#owned.values()) if (reached(owned) > owned.next) return true;
    return false;
  }

  /** Opens what a handler wants of these batches, and returns it in order; what was seen already is left out. */
  open(batches: readonly LogBatch[], wants: (record: LogRecord) => boolean): readonly LogRecord[] {
    return batches.flatMap((batch) => {
      const owned = this.#owned.get(partitionKey(batch.topic, batch.partition));
      if (!owned) return [];
      const records = batch.records.filter((record) => record.offset >= owned.scanned && wants(record));
      for (const { offset } of records) owned.open.add(offset);
      owned.scanned = Math.max(owned.scanned, batch.next);
      return records;
    });
  }

  close({ topic, partition, offset }: Pick<LogRecord, 'topic' | 'partition' | 'offset'>): void {
    this.#owned.get(partitionKey(topic, partition))?.open.delete(offset);
  }

  /** What can be committed: each partition up to its first event that is not handled yet. */
  moves(): readonly ProgressMove[] {
    return [...this.#owned.values()]
      .map((owned) => ({
        topic: owned.topic,
        partition: owned.partition,
        epoch: owned.epoch,
        from: owned.next,
        to: reached(owned),
      }))
      .filter((move) => move.to > move.from);
  }

  committed(moves: readonly ProgressMove[]): void {
    for (const move of moves) {
      const owned = this.#owned.get(partitionKey(move.topic, move.partition));
      if (owned?.epoch === move.epoch) owned.next = move.to;
    }
  }
}

/** A set keeps the order in which it was filled: the first is the lowest. */
function reached({ open, scanned }: Owned): number {
  const [first] = open;
  return first ?? scanned;
}
