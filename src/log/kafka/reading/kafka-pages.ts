import { randomUUID } from 'node:crypto';
import type { Logger } from '../../../kernel/logger.js';
import type { Offset } from '../../../kernel/names.js';
import { KappaError } from '../../../kernel/errors.js';
import { parsePartitionKey, partitionKey, type PartitionKey, type Position } from '../../../kernel/position.js';
import type { TopicName } from '../../../kernel/names.js';
import type { Page, PageSource, PageWish } from '../../page-source.js';
import { assertPartition } from '../../record-groups.js';
import { logStopped } from '../../wake.js';
import type { LogTopic, LogTopics } from '../log-topic.js';
import { readBounds } from '../partition-bounds.js';
import type { Cluster } from '../wire/cluster.js';
import { Cursor } from './cursor.js';
import { byLeader, fetchPlaces } from './fetch-places.js';
import { RelayedOffsets } from './relayed-offsets.js';
import { TailFetches } from './tail-fetches.js';

export interface KafkaPagesOptions {
  /** A reader that must reach a known end: for so long it may stand before it without moving. Null for one that follows. */
  readonly stallMs: number | null;
  readonly logger: Logger;
}

/** Of one partition, and of all of one leader together. */
const PAGE_BYTES = { partitionBytes: 4 * 1024 * 1024, totalBytes: 16 * 1024 * 1024 };
/** An open transaction that readers wait behind is told of after so long. */
const TELL_STALL_MS = 60_000;

/**
 * What one reader reads, by pages, from the brokers: fetched in large pieces and ahead, given in the pieces that are asked for.
 * At the tail the broker is asked to wait until something comes; nothing polls.
 */
export class KafkaPages implements PageSource {
  readonly #cursors = new Map<PartitionKey, Cursor>();
  readonly #role = `read ${randomUUID().slice(0, 8)}`;
  readonly #relayed: RelayedOffsets;
  readonly #tails: TailFetches;
  #toldStall = -Infinity;

  constructor(
    private readonly cluster: Cluster,
    private readonly topics: LogTopics,
    private readonly options: KafkaPagesOptions,
  ) {
    this.#relayed = new RelayedOffsets(cluster, this.#role);
    this.#tails = new TailFetches(cluster, this.#role, (cursor) => this.#findOutside(cursor));
  }

  async pages(wishes: readonly PageWish[]): Promise<readonly Page[]> {
    const cursors: Cursor[] = [];
    for (const wish of wishes) cursors.push(await this.#cursorAt(wish.topic, wish.partition, wish.from));
    for (const { filling } of cursors) await filling;
    const empty = cursors.filter((cursor) => !cursor.hasRecords && !cursor.outside && !this.#tails.waitsAt(cursor));
    if (empty.length > 0) await this.#fill(empty);
    await this.#learnEnds(cursors);
    const pages = cursors.map((cursor, index) => cursor.page(wishes[index] as PageWish));
    cursors.forEach((cursor, index) => this.#fillAhead(cursor, wishes[index] as PageWish, pages[index] as Page));
    return pages;
  }

  async grown(after: Position, options: { readonly signal?: AbortSignal; readonly timeoutMs?: number }): Promise<void> {
    const { signal, timeoutMs = Infinity } = options;
    const began = performance.now();
    const cursors: Cursor[] = [];
    for (const [key, from] of Object.entries(after) as [PartitionKey, number][]) {
      const { topic, partition } = parsePartitionKey(key);
      cursors.push(await this.#cursorAt(topic as TopicName, partition, from));
    }
    const hasGrown = () => cursors.some((cursor) => cursor.outside || cursor.scanned > (after[cursor.key] ?? 0));
    while (!hasGrown() && !signal?.aborted) {
      const left = timeoutMs - (performance.now() - began);
      if (left <= 0) return;
      await this.#tails.next(cursors, {
        timeoutMs: Math.min(left, this.options.stallMs ?? TELL_STALL_MS),
        ...(signal ? { signal } : {}),
      });
      if (this.cluster.stopped.aborted) throw logStopped();
      if (!hasGrown() && !signal?.aborted) this.#mindStall(cursors, after, performance.now() - began);
    }
  }

  knownEnd(key: PartitionKey): number | undefined {
    const cursor = this.#cursors.get(key);
    if (!cursor) return undefined;
    return cursor.isBehind || cursor.outside ? cursor.scanned + 1 : cursor.scanned;
  }

  /** Drops its connections; fetches under way fail and are nobody's any more. */
  close(): void {
    this.#tails.close();
    this.cluster.release(this.#role);
  }

  async #cursorAt(name: TopicName, partition: number, from: Offset | number): Promise<Cursor> {
    const key = partitionKey(name, partition);
    let cursor = this.#cursors.get(key);
    if (cursor?.standsAt(from)) return cursor;
    if (!cursor) {
      const topic = await this.topics.get(name);
      assertPartition(name, partition, topic.partitions);
      cursor = new Cursor(topic, partition);
      this.#cursors.set(key, cursor);
    }
    await this.#seek(cursor, from);
    return cursor;
  }

  async #seek(cursor: Cursor, from: number): Promise<void> {
    const { topic, partition } = cursor;
    if (!topic.relayed) {
      cursor.seek(from, from);
      return;
    }
    const bounds = await this.#relayed.bounds(topic, partition);
    const isInside = from >= bounds.begin && from <= bounds.end;
    cursor.seek(from, isInside ? await this.#relayed.locate(topic, partition, from, bounds) : 0);
    cursor.begin = bounds.begin;
    cursor.end = bounds.end;
    cursor.outside = !isInside;
  }

  /** Until each holds something, or stands where nothing more can be read now. */
  async #fill(cursors: readonly Cursor[]): Promise<void> {
    await this.cluster.retry('reading the log', async () => {
      let open = cursors.filter((cursor) => !cursor.hasRecords && !cursor.outside);
      for (let round = 0; open.length > 0; round++) {
        await this.#fetch(open);
        // Where several share an answer some may get nothing of it, so that only a fetch alone proves a hole.
        open = open.filter((cursor) => !cursor.hasRecords && !cursor.outside && cursor.isBehind);
        for (const cursor of round === 0 ? open : []) await this.#fetch([cursor]);
      }
    });
  }

  async #fetch(cursors: readonly Cursor[]): Promise<void> {
    for (const [leader, places] of await byLeader(this.cluster, cursors)) {
      const asked = places.map(({ offset }) => offset);
      const fetched = await fetchPlaces(this.cluster, leader, this.#role, places, { maxWaitMs: 0, ...PAGE_BYTES });
      for (const each of fetched) {
        const askedAt = asked[places.indexOf(each.place)] ?? -1;
        if (each.outOfRange) await this.#findOutside(each.place);
        // Nothing at all before the end: a hole that compaction or retention left.
        else if (places.length === 1 && each.bytes === 0 && each.next < each.stableEnd)
          each.place.take({ ...each, next: each.stableEnd }, askedAt);
        else each.place.take(each, askedAt);
      }
    }
  }

  /** The broker has nothing there; why, the bounds tell. A new leader may lag for a moment behind what was read already. */
  async #findOutside(cursor: Cursor): Promise<void> {
    const { topic, partition } = cursor;
    const bounds = (await readBounds(this.cluster, topic, [partition])).get(partition);
    if (!bounds || (cursor.offset >= bounds.begin && cursor.offset <= bounds.end)) return;
    if (topic.relayed) {
      const inLog = await this.#relayed.bounds(topic, partition);
      [cursor.begin, cursor.end] = [inLog.begin, inLog.end];
    } else [cursor.begin, cursor.end] = [bounds.begin, bounds.end];
    cursor.outside = true;
  }

  /** While the caller works on a page, what comes after it is fetched. */
  #fillAhead(cursor: Cursor, wish: PageWish, page: Page): void {
    const isLast = wish.to !== null && (page.scanned ?? 0) >= wish.to;
    if (cursor.filling || isLast || cursor.outside || !cursor.isBehind || cursor.left > wish.maxRecords) return;
    cursor.filling = this.cluster
      .retry('reading ahead', () => this.#fetch([cursor]))
      // Whoever asks next meets the failure, if it lasts.
      .catch(() => undefined)
      .finally(() => (cursor.filling = null));
  }

  /** A relayed partition's end is known only by its last record. */
  async #learnEnds(cursors: readonly Cursor[]): Promise<void> {
    for (const cursor of cursors) {
      if (!cursor.topic.relayed || cursor.outside || !cursor.isBehind) continue;
      cursor.end = Math.max(cursor.end, await this.#relayed.endAt(cursor.topic, cursor.partition, cursor.stableEnd));
    }
  }

  /** @throws KAPPA_LOG_STALLED for a reader that must come to an end */
  #mindStall(cursors: readonly Cursor[], after: Position, waitedMs: number): void {
    const held = cursors.find((cursor) => cursor.stableEnd < cursor.highWatermark);
    const { stallMs, logger } = this.options;
    if (stallMs !== null && waitedMs >= stallMs) throw stalled(held ?? cursors[0], after, waitedMs);
    if (!held || waitedMs < TELL_STALL_MS || performance.now() - this.#toldStall < TELL_STALL_MS) return;
    this.#toldStall = performance.now();
    logger.warn(`${nameOf(held)}: ${openTransaction(held)}`);
  }
}

function stalled(cursor: Cursor | undefined, after: Position, waitedMs: number): KappaError {
  const where = cursor ? nameOf(cursor) : 'the log';
  const isHeld = cursor !== undefined && cursor.stableEnd < cursor.highWatermark;
  return new KappaError(
    'KAPPA_LOG_STALLED',
    `${where} has not come nearer to its end for ${Math.round(waitedMs / 1000)} s: ${
      isHeld ? openTransaction(cursor) : `nothing comes after ${cursor ? after[cursor.key] : 'this'}`
    }`,
    {
      facts: { position: after, stableEnd: cursor?.stableEnd, highWatermark: cursor?.highWatermark },
      nextStep: isHeld
        ? 'Find it with `kafka-transactions.sh find-hanging`; the broker ends it by itself after the transaction timeout of its producer.'
        : 'Read up to an end that `offsets` has told.',
    },
  );
}

function openTransaction({ stableEnd, highWatermark }: Cursor): string {
  return `a transaction that began at Kafka's offset ${stableEnd} has not ended, and keeps what follows it up to ${highWatermark} from its readers`;
}

function nameOf({ topic, partition }: { readonly topic: LogTopic; readonly partition: number }): string {
  return `${topic.name}/${partition}`;
}
