import type { Offset } from '../../../kernel/names.js';
import { partitionKey, type PartitionKey } from '../../../kernel/position.js';
import { recordBytes, StoredRecord, type LogRecord } from '../../../kernel/record.js';
import { KappaError } from '../../../kernel/errors.js';
import type { Page, PageWish } from '../../page-source.js';
import { logOffsetOf, type LogTopic } from '../log-topic.js';
import type { Fetched, FetchPlace } from './fetch-places.js';

/** Where one partition is read: what was fetched and not given yet, and from where to fetch on. Log offsets, but for `offset`. */
export class Cursor implements FetchPlace {
  readonly key: PartitionKey;
  /** Kafka's own offset of the next fetch. */
  offset = 0;
  /** What is stable ended here, in Kafka's own offsets, when it was last fetched. */
  stableEnd = 0;
  highWatermark = 0;
  begin = 0;
  /** As far as it is known. */
  end = 0;
  /** Set where the place was found to lie outside of the log: a page of it is an error. */
  outside = false;
  /** The fetch ahead that is under way. */
  filling: Promise<void> | null = null;
  #records: LogRecord[] = [];
  #start = 0;
  #bytes = 0;
  /** Where the records in hand begin, and all before it is scanned. */
  #base = 0;
  #scanned = 0;
  /** Of the page that was given last: taken for read when the next one is asked for from its end. */
  #given: { readonly next: number; readonly count: number } | null = null;
  /** Nothing was taken since it was sought. */
  #sought = true;

  constructor(
    readonly topic: LogTopic,
    readonly partition: number,
  ) {
    this.key = partitionKey(topic.name, partition);
  }

  /** All before it is fetched. */
  get scanned(): number {
    return this.#scanned;
  }

  get hasRecords(): boolean {
    return this.#start < this.#records.length;
  }

  /** Records in hand after the page that was given last. */
  get left(): number {
    return this.#records.length - this.#start - (this.#given?.count ?? 0);
  }

  /** More lies at the broker, and can be read. */
  get isBehind(): boolean {
    return this.offset < this.stableEnd;
  }

  /** Stands at this log offset with what it holds; false when it must be sought. */
  standsAt(from: number): boolean {
    if (this.outside) return false;
    if (this.#given?.next === from && from !== this.#base) {
      this.#start += this.#given.count;
      this.#base = from;
      this.#given = null;
      if (this.#start > 4_096 && this.#start * 2 > this.#records.length) {
        this.#records = this.#records.slice(this.#start);
        this.#start = 0;
      }
    }
    return this.#base === from;
  }

  /** Drops what it holds and fetches from here on. */
  seek(from: number, kafkaOffset: number): void {
    this.#records = [];
    this.#start = 0;
    this.#bytes = 0;
    this.#base = from;
    this.#scanned = from;
    this.#given = null;
    this.#sought = true;
    this.outside = false;
    this.offset = kafkaOffset;
  }

  /** Takes what was fetched for it; what was fetched for another place, before a seek, is dropped. */
  take(fetched: Fetched<FetchPlace>, askedAt: number): void {
    if (this.offset !== askedAt) return;
    if (!this.hasRecords) {
      this.#records = [];
      this.#start = 0;
      this.#bytes = 0;
    }
    const { records, next } = fetched;
    this.stableEnd = fetched.stableEnd;
    this.highWatermark = fetched.highWatermark;
    this.#bytes += fetched.bytes;
    this.offset = next;
    if (this.topic.relayed) this.#takeRelayed(records);
    else {
      this.#records.push(...records);
      this.#scanned = next;
      this.begin = fetched.begin;
      this.end = Math.max(fetched.highWatermark, next);
    }
  }

  page({ to, maxRecords, maxBytes }: PageWish): Page {
    if (this.outside) return { begin: this.begin as Offset, end: this.end as Offset, records: [] };
    const bounds = { begin: this.begin as Offset, end: Math.max(this.end, this.#scanned) as Offset };
    const last = Math.min(this.#records.length, this.#start + maxRecords);
    const records: LogRecord[] = [];
    // Counting costs, and mostly all that was fetched fits.
    let room = this.#bytes <= maxBytes ? Infinity : maxBytes;
    let at = this.#start;
    for (; at < last && room > 0; at++) {
      const record = this.#records[at] as LogRecord;
      if (to !== null && record.offset >= to) break;
      if (room !== Infinity) room -= recordBytes(record);
      records.push(record);
    }
    const rest = this.#records[at];
    const lastGiven = records.at(-1);
    // Where something is left, all before it is scanned only up to what was given.
    const proven = rest
      ? to !== null && rest.offset >= to
        ? to
        : lastGiven
          ? lastGiven.offset + 1
          : this.#base
      : this.#scanned;
    const next = to === null ? proven : Math.min(proven, to);
    this.#given = { next, count: records.length };
    return { ...bounds, records, scanned: next as Offset };
  }

  #takeRelayed(records: readonly LogRecord[]): void {
    for (const record of records) {
      const offset = logOffsetOf(record, record.offset);
      // Kafka's offset is that of a batch: records before the one that was sought may come along.
      if (this.#sought && offset < this.#scanned) continue;
      this.#sought = false;
      if (offset < this.#scanned) throw outOfOrder(record, offset, this.#scanned);
      const { topic, partition, timestampUs, key, value, headers } = record;
      this.#records.push(new StoredRecord(topic, partition, offset as Offset, timestampUs, key, value, headers));
      this.#scanned = offset + 1;
    }
    this.end = Math.max(this.end, this.#scanned);
  }
}

function outOfOrder({ topic, partition, offset }: LogRecord, logOffset: number, after: number): KappaError {
  return new KappaError(
    'KAPPA_FOREIGN_RECORD',
    `${topic}/${partition} holds log offset ${logOffset} at Kafka's offset ${offset}, after ${after - 1}: it was copied twice, or by another relay`,
    {
      facts: { topic, partition, kafkaOffset: offset, logOffset, after: after - 1 },
      nextStep: 'Compare topic and rows with `npx nest-kappa relay verify`; delete the topic and let the relay copy it anew.',
    },
  );
}
