import { KappaError, LogTruncatedError } from '../kernel/errors.js';
import type { Offset, TopicName } from '../kernel/names.js';
import type { PartitionKey, Position } from '../kernel/position.js';
import type { LogRecord } from '../kernel/record.js';
import type { RecordSource } from './event-log.js';

/** What reading and polling need of a driver whose records can be asked for by range. */
export interface PageSource {
  /** One page for each wish, in their order; all of one snapshot. */
  pages(wishes: readonly PageWish[]): Promise<readonly Page[]>;
  /**
   * Resolves when a partition may end beyond its offset in `after`, when the signal aborts, or after the timeout.
   * @throws KAPPA_LOG_STOPPED
   */
  grown(after: Position, options: { readonly signal?: AbortSignal; readonly timeoutMs?: number }): Promise<void>;
  /** The end as far as it is known without asking. */
  knownEnd(partition: PartitionKey): number | undefined;
}

export interface PageWish {
  readonly topic: TopicName;
  readonly partition: number;
  readonly from: Offset;
  /** Exclusive; null: to the end. */
  readonly to: Offset | null;
  readonly maxRecords: number;
  /** At least one record is given, whatever its size. */
  readonly maxBytes: number;
  /** Whoever gets the page makes its records as they are taken; else they are made, where it is a member's. */
  readonly onDemand?: boolean;
}

export interface Page {
  readonly begin: Offset;
  readonly end: Offset;
  /** Of the range wished for, from its start on and without gaps in what is there. */
  readonly records: readonly LogRecord[];
  readonly onDemand?: RecordSource;
  /** See `release` of LogBatch. */
  release?(): void;
  /** When its last record was appended: microseconds since 1970. Left out where the driver's records are at hand. */
  readonly lastTimeUs?: number | null;
  /**
   * All before it was scanned. Left out where a page is a snapshot: up to its last record then, or the whole range when there is
   * none. A log with records that are no reader's business (markers, aborted ones) says how far it came.
   */
  readonly scanned?: Offset;
}

/**
 * Where the next read of this partition goes on. A page that holds nothing proves that its whole range holds nothing, as far as
 * the partition reached in that snapshot; never a ceiling beyond what was scanned.
 * @throws LogTruncatedError, KAPPA_POSITION_BEYOND_END
 */
export function provenNext(wish: PageWish, page: Page): Offset {
  if (wish.from < page.begin) throw new LogTruncatedError(wish.topic, wish.partition, wish.from, page.begin);
  if (wish.from > page.end) {
    throw new KappaError(
      'KAPPA_POSITION_BEYOND_END',
      `${wish.topic}/${wish.partition} ends at ${page.end}, but ${wish.from} is wanted`,
      {
        facts: { topic: wish.topic, partition: wish.partition, wanted: wish.from, end: page.end },
        nextStep: 'This position belongs to another log, or the log was restored from before it: rebuild what stored it.',
      },
    );
  }
  if (page.scanned !== undefined) return page.scanned;
  const last = page.records.at(-1);
  if (last) return (last.offset + 1) as Offset;
  return Math.min(page.end, wish.to ?? page.end) as Offset;
}
