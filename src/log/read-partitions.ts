import type { Offset, TopicName } from '../kernel/names.js';
import { parsePartitionKey, partitionKey, type PartitionKey, type Position } from '../kernel/position.js';
import type { LogBatch, ReadOptions } from './event-log.js';
import { PageBatch } from './page-batch.js';
import { provenNext, type Page, type PageSource, type PageWish } from './page-source.js';

export const DEFAULT_BATCH_RECORDS = 5_000;
export const DEFAULT_BATCH_BYTES = 8 * 1024 * 1024;

/** After so many pages those that had caught up are asked again, so that a busy partition does not starve them. */
const PAGES_PER_ROUND = 32;
/** Pages, each of another partition, that are fetched while the caller works on one: a server with more than one core is kept busy. */
const AHEAD = 2;

interface Cursor {
  readonly key: PartitionKey;
  readonly topic: TopicName;
  readonly partition: number;
  readonly to: Offset | null;
  next: Offset;
  /** When the last record was appended that was read; before the first read, and where the log does not say, at the begin of time. */
  timeUs: number;
}

interface Fetched {
  readonly wish: PageWish;
  readonly page: Page;
}

/**
 * Reads partitions page by page, one partition after the other in turn; while the caller works on a batch, the next ones are
 * fetched. Each page has its own short snapshot. Where the end is given, the partition comes next that stands at the earliest time:
 * what was appended together is read together, which the server has on the same pages.
 */
export async function* readPartitions(source: PageSource, options: ReadOptions): AsyncGenerator<LogBatch> {
  const { signal } = options;
  let behind = cursorsOf(options).filter(isOpen);
  const caughtUp: Cursor[] = [];
  const ahead = new Map<Cursor, Promise<Fetched>>();
  const fetchAhead = (): void => {
    if (options.to !== undefined) behind.sort((one, other) => one.timeUs - other.timeUs);
    for (const cursor of behind.slice(0, AHEAD)) if (!ahead.has(cursor)) ahead.set(cursor, fetch(source, cursor, options));
  };
  let pages = 0;
  while (!isAborted(signal)) {
    fetchAhead();
    const cursor = behind.shift();
    const fetched = cursor && ahead.get(cursor);
    if (!fetched) {
      if (caughtUp.length === 0) return;
      await source.grown(positionOf(caughtUp), signal ? { signal } : {});
      behind = takeGrown(source, caughtUp);
      continue;
    }
    const { wish, page } = await fetched;
    ahead.delete(cursor);
    if (isAborted(signal)) return;
    const next = provenNext(wish, page);
    const moved = next > cursor.next;
    cursor.next = next;
    cursor.timeUs = page.lastTimeUs ?? cursor.timeUs;
    // One that stands before the end waits, too, where a transaction is open that its readers wait behind.
    if (isOpen(cursor)) (next >= page.end || !moved ? caughtUp : behind).push(cursor);
    pages += 1;
    if (pages % PAGES_PER_ROUND === 0) behind.push(...takeLast(caughtUp));
    fetchAhead();
    if (moved) yield new PageBatch(cursor, page, next);
  }
}

function fetch(source: PageSource, cursor: Cursor, options: ReadOptions): Promise<Fetched> {
  const wish: PageWish = {
    topic: cursor.topic,
    partition: cursor.partition,
    from: cursor.next,
    to: cursor.to,
    maxRecords: options.maxBatchRecords ?? DEFAULT_BATCH_RECORDS,
    maxBytes: options.maxBatchBytes ?? DEFAULT_BATCH_BYTES,
  };
  const fetched = source.pages([wish]).then(([page]) => ({ wish, page: page as Page }));
  // The caller may stop before it asks for what was fetched ahead.
  fetched.catch(() => undefined);
  return fetched;
}

function cursorsOf(options: ReadOptions): Cursor[] {
  const ends: Position = options.to ?? {};
  return (Object.entries(options.from) as [PartitionKey, number][]).map(([key, from]) => {
    const { topic, partition } = parsePartitionKey(key);
    const to = ends[key];
    return {
      key,
      topic: topic as TopicName,
      partition,
      next: from as Offset,
      to: to === undefined ? null : (to as Offset),
      timeUs: -Infinity,
    };
  });
}

function isOpen(cursor: Cursor): boolean {
  return cursor.to === null || cursor.next < cursor.to;
}

/** Takes out all, to come after those that are behind: asked again and again, they would keep these from their turn. */
function takeLast(caughtUp: Cursor[]): Cursor[] {
  for (const cursor of caughtUp) cursor.timeUs = Infinity;
  return caughtUp.splice(0);
}

/** Takes out those that are known to have grown. */
function takeGrown(source: PageSource, caughtUp: Cursor[]): Cursor[] {
  const waiting = caughtUp.splice(0);
  const grown = waiting.filter((cursor) => (source.knownEnd(cursor.key) ?? 0) > cursor.next);
  caughtUp.push(...waiting.filter((cursor) => !grown.includes(cursor)));
  return grown;
}

function positionOf(cursors: readonly Cursor[]): Position {
  const position: Record<PartitionKey, number> = {};
  for (const { topic, partition, next } of cursors) position[partitionKey(topic, partition)] = next;
  return position;
}

function isAborted(signal: AbortSignal | undefined): boolean {
  return signal?.aborted ?? false;
}
