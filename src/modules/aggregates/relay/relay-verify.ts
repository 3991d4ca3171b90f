import { HEADER } from '../../../kernel/envelope.js';
import type { Offset, TopicName } from '../../../kernel/names.js';
import { partitionKey, type Position } from '../../../kernel/position.js';
import { LOG_OFFSET_HEADER, type LogRecord } from '../../../kernel/record.js';
import type { EventLog } from '../../../log/event-log.js';

/** Where a row and its record do not agree. */
export interface RelayDifference {
  readonly topic: TopicName;
  readonly partition: number;
  readonly offset: Offset;
  /**
   * `missing`: a row that was not relayed although later ones were; `extra`: a record without a row; `repeated`: a record that
   * does not lie behind the one before it; else what of it is another: `ce_id`, `key`, `value` or a header's name.
   */
  readonly what: string;
}

export interface RelayVerification {
  readonly topic: TopicName;
  /** Rows compared so far, and to be compared as known at the begin. */
  readonly compared: number;
  readonly total: number;
  /** Up to where both sides are compared. */
  readonly upTo: Position;
  /** Rows that were not relayed yet when it began; they are not looked at. */
  readonly behind: number;
  readonly differences: number;
  /** The first of them. */
  readonly samples: readonly RelayDifference[];
  readonly done: boolean;
}

export interface VerifyContext {
  readonly outbox: Pick<EventLog, 'offsets' | 'read'>;
  readonly log: Pick<EventLog, 'offsets' | 'read'>;
}

export interface VerifyOptions {
  /** Differences to show. Default 10. */
  readonly samples?: number;
  readonly signal?: AbortSignal;
}

const PAGE_RECORDS = 1_000;

/**
 * Compares the rows of a topic with what was relayed of them, up to where it was relayed when this began: number, order,
 * offsets, ids, keys, values and headers. A page of each side is in memory at a time. Yields its progress; the last is `done`.
 */
export async function* verifyRelay(
  { outbox, log }: VerifyContext,
  topic: TopicName,
  { samples: most = 10, signal }: VerifyOptions = {},
): AsyncGenerator<RelayVerification> {
  const relayed = await log.offsets(topic);
  const appended = await outbox.offsets(topic);
  const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);
  const endOf = (partition: number): number => relayed[partition]?.end ?? 0;
  const total = sum(appended.map(({ partition, begin, end }) => Math.max(0, Math.min(end, endOf(partition)) - begin)));
  const behind = sum(appended.map(({ partition, end }) => Math.max(0, end - endOf(partition))));
  const upTo = Object.fromEntries(relayed.map(({ partition, end }) => [partitionKey(topic, partition), end]));
  let compared = 0;
  let differences = 0;
  const samples: RelayDifference[] = [];
  const progress = (done: boolean): RelayVerification => ({
    topic,
    compared,
    total,
    upTo,
    behind,
    differences,
    samples: [...samples],
    done,
  });
  for (const { partition, begin, end } of appended) {
    const bounds = relayed[partition];
    if (!bounds) continue;
    const key = partitionKey(topic, partition);
    const options = { maxBatchRecords: PAGE_RECORDS, ...(signal ? { signal } : {}) };
    const rows = flatten(outbox.read({ ...options, from: { [key]: begin }, to: { [key]: Math.min(end, bounds.end) } }));
    const records = flatten(log.read({ ...options, from: { [key]: bounds.begin }, to: { [key]: bounds.end } }));
    for await (const { offset, what, isRow } of compare(rows, records)) {
      if (isRow) compared += 1;
      if (what !== null) {
        differences += 1;
        if (samples.length < most) samples.push({ topic, partition, offset, what });
      }
      if (isRow && compared % PAGE_RECORDS === 0) yield progress(false);
    }
    signal?.throwIfAborted();
  }
  yield progress(true);
}

interface Compared {
  readonly offset: Offset;
  /** Null: they agree. */
  readonly what: string | null;
  readonly isRow: boolean;
}

/** Walks both in step, by offset. */
async function* compare(rows: AsyncIterator<LogRecord>, records: AsyncIterator<LogRecord>): AsyncGenerator<Compared> {
  let row = await next(rows);
  let record = await next(records);
  let last = -1;
  while (row || record) {
    if (record && record.offset <= last) {
      yield { offset: record.offset, what: 'repeated', isRow: false };
      record = await next(records);
    } else if (record && (!row || record.offset < row.offset)) {
      yield { offset: record.offset, what: 'extra', isRow: false };
      last = record.offset;
      record = await next(records);
    } else if (row && (!record || row.offset < record.offset)) {
      yield { offset: row.offset, what: 'missing', isRow: true };
      row = await next(rows);
    } else if (row && record) {
      yield { offset: row.offset, what: differenceOf(row, record), isRow: true };
      last = record.offset;
      row = await next(rows);
      record = await next(records);
    }
  }
}

function differenceOf(row: LogRecord, record: LogRecord): string | null {
  if (row.headers[HEADER.id] !== record.headers[HEADER.id]) return HEADER.id;
  if (row.key !== record.key) return 'key';
  if (row.value === null || record.value === null) {
    if (row.value !== record.value) return 'value';
  } else if (Buffer.compare(row.value, record.value) !== 0) return 'value';
  const names = new Set([...Object.keys(row.headers), ...Object.keys(record.headers)]);
  names.delete(LOG_OFFSET_HEADER);
  for (const name of names) if (row.headers[name] !== record.headers[name]) return name;
  return record.headers[LOG_OFFSET_HEADER] === String(row.offset) ? null : LOG_OFFSET_HEADER;
}

async function* flatten(batches: AsyncIterable<{ readonly records: readonly LogRecord[] }>): AsyncGenerator<LogRecord> {
  for await (const { records } of batches) yield* records;
}

async function next(records: AsyncIterator<LogRecord>): Promise<LogRecord | null> {
  const result = await records.next();
  return result.done ? null : result.value;
}
