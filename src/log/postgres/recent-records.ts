import type { Offset } from '../../kernel/names.js';
import { partitionKey, type PartitionKey } from '../../kernel/position.js';
import { recordBytesAtMost, type LogRecord } from '../../kernel/record.js';
import type { Page, PageWish } from '../page-source.js';

export interface RecentBounds {
  /** Bytes of one partition at most; beyond, the older half goes. */
  readonly partitionBytes: number;
  /** Bytes of all partitions at most; beyond, those go that were appended to longest ago. */
  readonly bytes: number;
}

/** Records without a gap, up to the newest that is known. */
interface Run {
  records: LogRecord[];
  bytes: number;
}

/**
 * What this process has appended last, so that readers which follow closely need not ask the database for what it was just given.
 * Holds what is committed, and of each partition only what follows without a gap: what others appended in between is read from the
 * database, and the run begins anew behind it.
 */
export class RecentRecords {
  /** Appended to longest ago first. */
  readonly #runs = new Map<PartitionKey, Run>();
  #bytes = 0;

  constructor(private readonly bounds: RecentBounds) {}

  /**
   * Takes in committed records, those of a partition in their order. `neededFrom`: the first that some reader of a partition has not
   * been given. What stands before is dropped at once: it goes while it is young, where a collection costs next to nothing.
   */
  add(records: readonly LogRecord[], neededFrom: (partition: PartitionKey) => number = () => 0): void {
    const needed = new Map<PartitionKey, number>();
    for (const record of records) {
      const key = partitionKey(record.topic, record.partition);
      let from = needed.get(key);
      if (from === undefined) {
        needed.set(key, (from = neededFrom(key)));
        this.#dropBefore(key, from);
      }
      if (record.offset >= from) this.#addOne(key, record);
      // What is held stands behind a record that is newer: the log has lost its end and grown again.
      else this.#forget(key);
    }
    for (const key of this.#runs.keys()) {
      if (this.#bytes <= this.bounds.bytes) return;
      this.#forget(key);
    }
  }

  /** The page as the database would give it; null where it has to be asked. */
  page({ topic, partition, from, to, maxRecords, maxBytes }: PageWish): Page | null {
    const records = this.#runs.get(partitionKey(topic, partition))?.records;
    const first = records?.[0];
    if (!records || !first || from < first.offset) return null;
    const start = from - first.offset;
    if (start >= records.length) return null;
    const end = (first.offset + records.length) as Offset;
    const most = Math.min(start + maxRecords, to === null ? records.length : to - first.offset, records.length);
    let stop = start;
    for (let bytes = 0; stop < most && (stop === start || bytes < maxBytes); stop += 1) {
      const record = records[stop];
      if (record) bytes += recordBytesAtMost(record);
    }
    return { begin: from, end, records: records.slice(start, stop) };
  }

  /** For when it is in doubt whether the database still has what it has confirmed. */
  clear(): void {
    this.#runs.clear();
    this.#bytes = 0;
  }

  #addOne(key: PartitionKey, record: LogRecord): void {
    const known = this.#runs.get(key);
    const last = known?.records.at(-1);
    const follows = last !== undefined && last.offset + 1 === record.offset;
    if (known && !follows) this.#forget(key);
    const run = known && follows ? known : { records: [], bytes: 0 };
    const bytes = recordBytesAtMost(record);
    run.records.push(record);
    run.bytes += bytes;
    this.#bytes += bytes;
    if (run.bytes > this.bounds.partitionBytes) this.#halve(run);
    this.#runs.delete(key);
    this.#runs.set(key, run);
  }

  #dropBefore(key: PartitionKey, from: number): void {
    const run = this.#runs.get(key);
    const first = run?.records[0];
    if (!run || !first || from <= first.offset) return;
    const given = run.records.splice(0, from - first.offset);
    const bytes = given.reduce((sum, record) => sum + recordBytesAtMost(record), 0);
    run.bytes -= bytes;
    this.#bytes -= bytes;
    if (run.records.length === 0) this.#forget(key);
  }

  #halve(run: Run): void {
    const kept = run.records.slice(Math.ceil(run.records.length / 2));
    const bytes = kept.reduce((sum, record) => sum + recordBytesAtMost(record), 0);
    this.#bytes += bytes - run.bytes;
    run.records = kept;
    run.bytes = bytes;
  }

  #forget(key: PartitionKey): void {
    this.#bytes -= this.#runs.get(key)?.bytes ?? 0;
    this.#runs.delete(key);
  }
}
