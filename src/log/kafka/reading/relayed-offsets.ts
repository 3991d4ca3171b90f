import { setTimeout as sleep } from 'node:timers/promises';
import { KappaError } from '../../../kernel/errors.js';
import { partitionKey, type PartitionKey } from '../../../kernel/position.js';
import type { LogRecord } from '../../../kernel/record.js';
import { logOffsetOf, type LogTopic } from '../log-topic.js';
import { readBounds, readOffsets } from '../partition-bounds.js';
import { EARLIEST } from '../wire/api/list-offsets.js';
import type { Cluster } from '../wire/cluster.js';
import { byLeader, fetchPlaces } from './fetch-places.js';

export interface RelayedBounds {
  /** Log offsets. */
  readonly begin: number;
  readonly end: number;
  /** Kafka's own, where the former lie. */
  readonly kafkaBegin: number;
  readonly kafkaEnd: number;
}

interface Probe {
  readonly records: readonly LogRecord[];
  readonly next: number;
  readonly stableEnd: number;
}

interface KnownEnd {
  readonly stableEnd: number;
  readonly end: number;
}

const PROBE_BYTES = 64 * 1024;
/** A transaction that is open for longer than this has not been committed yet. */
const SETTLING_MS = 100;
const LOOK_AGAIN_MS = 2;
/** How far before the end the last record is looked for first; a transaction's marker takes an offset of its own. */
const FIRST_STEP = 16;

/**
 * Log offsets of relayed topics, found by reading: every record bears its own, and they rise with Kafka's, which run ahead of
 * them because markers and aborted records take offsets, too.
 */
export class RelayedOffsets {
  readonly #ends = new Map<PartitionKey, KnownEnd>();

  constructor(
    private readonly cluster: Cluster,
    private readonly role: string,
  ) {}

  /** @throws KAPPA_RELAYED_TOPIC_EMPTIED */
  async bounds(topic: LogTopic, partition: number): Promise<RelayedBounds> {
    const { begin: kafkaBegin, end: highWatermark } = (await readBounds(this.cluster, topic, [partition])).get(partition) ?? {
      begin: 0,
      end: 0,
    };
    const stableEnd = await this.#settledEnd(topic, partition, highWatermark);
    const end = await this.#end(topic, partition, kafkaBegin, stableEnd);
    if (kafkaBegin === 0) return { begin: 0, end, kafkaBegin, kafkaEnd: stableEnd };
    const first = await this.firstAt(topic, partition, kafkaBegin);
    if (!first) throw emptied(topic, partition, kafkaBegin);
    return { begin: logOffsetOf(first, first.offset), end, kafkaBegin, kafkaEnd: stableEnd };
  }

  /** The end as log offset, when what is stable ends at `stableEnd` in Kafka's offsets. */
  async endAt(topic: LogTopic, partition: number, stableEnd: number): Promise<number> {
    const known = this.#ends.get(partitionKey(topic.name, partition));
    if (known?.stableEnd === stableEnd) return known.end;
    const begins = await readOffsets(this.cluster, topic, [partition], EARLIEST);
    return this.#end(topic, partition, begins.get(partition) ?? 0, stableEnd);
  }

  /** Kafka's offset from which on no record has a log offset below `wanted`; within bounds. */
  async locate(topic: LogTopic, partition: number, wanted: number, bounds: RelayedBounds): Promise<number> {
    if (wanted <= bounds.begin) return bounds.kafkaBegin;
    if (wanted >= bounds.end) return bounds.kafkaEnd;
    let [low, high] = [bounds.kafkaBegin, bounds.kafkaEnd];
    while (low < high) {
      const middle = Math.floor((low + high) / 2);
      const { records, next } = await this.#scan(topic, partition, middle);
      const first = records[0];
      if (!first || first.offset >= high) {
        high = middle;
        continue;
      }
      const found = records.find((record) => logOffsetOf(record, record.offset) >= wanted);
      if (found && found !== first) return found.offset;
      if (found) high = middle;
      else low = Math.max(next, middle + 1);
    }
    return low;
  }

  /** The first committed record at or after Kafka's offset; null where there is none yet. */
  async firstAt(topic: LogTopic, partition: number, offset: number): Promise<LogRecord | null> {
    return (await this.#scan(topic, partition, offset)).records[0] ?? null;
  }

  /** A commit that was answered becomes stable when its marker is written, a few milliseconds later: the end waits for it. */
  async #settledEnd(topic: LogTopic, partition: number, highWatermark: number): Promise<number> {
    const until = performance.now() + SETTLING_MS;
    for (;;) {
      const { stableEnd } = await this.#probe(topic, partition, highWatermark);
      if (stableEnd >= highWatermark || performance.now() > until) return stableEnd;
      await sleep(LOOK_AGAIN_MS);
    }
  }

  async #end(topic: LogTopic, partition: number, kafkaBegin: number, stableEnd: number): Promise<number> {
    const key = partitionKey(topic.name, partition);
    const known = this.#ends.get(key);
    if (known?.stableEnd === stableEnd) return known.end;
    // What was known holds for all before it, unless the topic shrank, which it never does by itself.
    const floor = known && known.stableEnd < stableEnd ? Math.max(known.stableEnd, kafkaBegin) : kafkaBegin;
    const last = await this.#lastBefore(topic, partition, floor, stableEnd);
    const end = last ? logOffsetOf(last, last.offset) + 1 : (known?.end ?? 0);
    this.#ends.set(key, { stableEnd, end });
    return end;
  }

  async #lastBefore(topic: LogTopic, partition: number, floor: number, stableEnd: number): Promise<LogRecord | null> {
    for (let high = stableEnd, step = FIRST_STEP; high > floor; step *= 8) {
      const low = Math.max(floor, high - step);
      let last: LogRecord | null = null;
      for (let at = low; at < high;) {
        const { records, next } = await this.#scan(topic, partition, at);
        last = records.findLast(({ offset }) => offset < stableEnd) ?? last;
        if (next <= at) break;
        at = next;
      }
      if (last) return last;
      high = low;
    }
    return null;
  }

  /** Reads on until a committed record comes, or the end. */
  async #scan(topic: LogTopic, partition: number, from: number): Promise<Probe> {
    for (let at = from; ;) {
      const probe = await this.#probe(topic, partition, at);
      if (probe.records.length > 0 || probe.next >= probe.stableEnd || probe.next <= at) return probe;
      at = probe.next;
    }
  }

  #probe(topic: LogTopic, partition: number, offset: number): Promise<Probe> {
    return this.cluster.retry(`looking for log offsets of ${topic.name}/${partition}`, async () => {
      for (const [leader, places] of await byLeader(this.cluster, [{ topic, partition, offset }])) {
        const limits = { maxWaitMs: 0, partitionBytes: PROBE_BYTES, totalBytes: PROBE_BYTES };
        const [fetched] = await fetchPlaces(this.cluster, leader, this.role, places, limits);
        if (!fetched) continue;
        const { records, bytes, stableEnd, next } = fetched;
        // Nothing at all before the end: a hole that compaction or retention left.
        return { records, stableEnd, next: bytes === 0 && next < stableEnd ? stableEnd : next };
      }
      return { records: [], next: offset, stableEnd: offset };
    });
  }
}

function emptied({ name }: LogTopic, partition: number, begin: number): KappaError {
  return new KappaError(
    'KAPPA_RELAYED_TOPIC_EMPTIED',
    `${name}/${partition} begins at Kafka's offset ${begin} and holds no record that tells its log offset`,
    {
      facts: { topic: name, partition, kafkaBegin: begin },
      nextStep:
        'An aggregate’s topic is kept for ever: set its retention.ms to -1, delete the topic and let the relay copy it anew, or restore it.',
    },
  );
}
