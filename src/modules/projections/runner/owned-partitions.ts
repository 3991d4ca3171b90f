import type { LogBatch, RecordSource } from '../../../log/event-log.js';
import { partitionKey, type PartitionKey } from '../../../kernel/position.js';
import type { Claim } from '../build.js';
import { BatchPart } from './batch-part.js';

interface Owned {
  readonly topic: string;
  readonly partition: number;
  epoch: number;
  /** What is committed. */
  next: number;
  /** What was scanned beyond it: records that nobody handles, whose progress is not worth a commit yet. */
  scanned: number;
  /** Where the log ended when this was last read. */
  end: number;
  holdAt: number | null;
}

/** The partitions a runner has claimed, how far it has committed and scanned each, and where it must hold. */
export class OwnedPartitions {
  readonly #owned = new Map<PartitionKey, Owned>();

  take(claims: readonly Claim[]): void {
    for (const { topic, partition, epoch, nextOffset, holdAt } of claims) {
      this.#owned.set(partitionKey(topic, partition), {
        topic,
        partition,
        epoch,
        next: nextOffset,
        scanned: nextOffset,
        end: nextOffset,
        holdAt,
      });
    }
  }

  drop(keys: readonly PartitionKey[]): void {
    for (const key of keys) this.#owned.delete(key);
  }

  get keys(): readonly PartitionKey[] {
    return [...this.#owned.keys()];
  }

  /** Under which epoch a partition is owned and what is committed of it; null when it is not, or has to hold. */
  at(topic: string, partition: number): { readonly epoch: number; readonly next: number } | null {
    const owned = this.#owned.get(partitionKey(topic, partition));
    return owned?.holdAt === null ? { epoch: owned.epoch, next: owned.next } : null;
  }

  get held(): boolean {
    for (const { holdAt } of this.#owned.values()) if (holdAt !== null) return true;
    return false;
  }

  /** True while something scanned is not committed. */
  get ahead(): boolean {
    for (const owned of this.#owned.values())
      if (owned.scanned > owned.next && (owned.holdAt === null || owned.next < owned.holdAt)) return true;
    return false;
  }

  setHolds(lines: readonly { readonly topic: string; readonly partition: number; readonly holdAt: number | null }[]): void {
    for (const line of lines) {
      const owned = this.#owned.get(partitionKey(line.topic, line.partition));
      if (owned) owned.holdAt = line.holdAt;
    }
  }

  /**
   * What is to be committed after these batches were read: all owned partitions that moved, cut where they hold. `again` names
   * where a partition must be read again because it was cut. Records that were seen already are left out.
   */
  parts(batches: readonly LogBatch[]): {
    readonly parts: BatchPart[];
    readonly again: readonly { readonly topic: string; readonly partition: number; readonly offset: number }[];
  } {
    const parts: BatchPart[] = [];
    const again: { topic: string; partition: number; offset: number }[] = [];
    const read = new Map(batches.map((batch) => [partitionKey(batch.topic, batch.partition), batch]));
    for (const [key, owned] of this.#owned) {
      const { topic, partition, epoch, next, scanned, holdAt } = owned;
      const batch = read.get(key);
      const to = Math.max(scanned, batch?.next ?? 0);
      if (to <= next) continue;
      const whole = new BatchPart({ topic, partition, epoch, from: next, to }, batch ? newIn(batch, scanned) : []);
      const part = holdAt === null ? whole : whole.before(holdAt);
      if (part !== whole && batch) again.push({ topic, partition, offset: Math.max(part.to, next) });
      if (part.to > part.from) parts.push(part);
    }
    return { parts, again };
  }

  /** True where more is known to stand in the log than these batches and those before them had. */
  isBehindAfter(batches: readonly LogBatch[]): boolean {
    for (const batch of batches) this.#update(batch, (owned) => (owned.end = batch.end));
    const read = new Map(batches.map((batch) => [partitionKey(batch.topic, batch.partition), batch.next]));
    for (const [key, { scanned, end }] of this.#owned) if ((read.get(key) ?? scanned) < end) return true;
    return false;
  }

  scannedTo(parts: readonly BatchPart[]): void {
    for (const part of parts) this.#update(part, (owned) => (owned.scanned = Math.max(owned.scanned, part.to)));
  }

  committed(parts: readonly BatchPart[]): void {
    for (const part of parts) {
      this.#update(part, (owned) => {
        owned.next = part.to;
        owned.scanned = Math.max(owned.scanned, part.to);
      });
    }
  }

  /** The next read begins here: forgets what was scanned beyond. */
  rewind(topic: string, partition: number, offset: number): void {
    this.#update({ topic, partition }, (owned) => (owned.scanned = Math.max(owned.next, Math.min(owned.scanned, offset))));
  }

  #update(at: { readonly topic: string; readonly partition: number }, change: (owned: Owned) => void): void {
    const owned = this.#owned.get(partitionKey(at.topic, at.partition));
    if (owned) change(owned);
  }
}

/** What was not seen yet of a batch: most often all of it, which is then left to be made. */
function newIn(batch: LogBatch, scanned: number): RecordSource {
  const source = batch.onDemand ?? batch.records;
  const [first] = source.slice(0, 1);
  return !first || first.offset >= scanned ? source : batch.records.filter(({ offset }) => offset >= scanned);
}
