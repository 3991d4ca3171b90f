import { Partitioners } from 'kafkajs';
import { uniform, zipf } from '../random.js';

/**
 * How events spread over streams: `zipf`, few streams have most of them; `uniform`, each stream is as likely as the other;
 * `once`, each stream has one (or all have equally many), in scattered order.
 */
export type Spread = 'zipf' | 'uniform' | 'once';

export interface GeneratedOptions {
  readonly events: number;
  readonly streams: number;
  readonly spread: Spread;
}

/** One event of a generated log, and where it stands. */
export interface GeneratedEvent {
  /** Its number over the whole log, from 0. */
  readonly n: number;
  readonly streamId: string;
  /** From 1 within the stream. */
  readonly version: number;
  readonly partition: number;
  /** From 0 within the partition. */
  readonly offset: number;
  /** When it happened and was recorded, in milliseconds since 1970. */
  readonly atMs: number;
}

export const PARTITIONS = 8;
const BEGAN_MS = Date.UTC(2010, 0, 1);
/** 2,880 events a day. */
const EVERY_MS = 30_000;

/** The same events in the same order in every run; memory grows with the streams by 5 bytes each. */
export function* generatedEvents({ events, streams, spread }: GeneratedOptions): Generator<GeneratedEvent> {
  const next = walk(streams, spread);
  const versions = new Int32Array(streams);
  const partitions = new Int8Array(streams).fill(-1);
  const ends = new Array<number>(PARTITIONS).fill(0);
  for (let n = 0; n < events; n += 1) {
    const stream = next();
    const streamId = `thing-${String(stream).padStart(8, '0')}`;
    const version = (versions[stream] ?? 0) + 1;
    versions[stream] = version;
    let partition = partitions[stream] ?? -1;
    if (partition < 0) partitions[stream] = partition = partitionOf(streamId);
    const offset = ends[partition] ?? 0;
    ends[partition] = offset + 1;
    yield { n, streamId, version, partition, offset, atMs: BEGAN_MS + n * EVERY_MS };
  }
}

function walk(streams: number, spread: Spread): () => number {
  if (spread === 'zipf') return zipf(streams, 1);
  if (spread === 'uniform') return uniform(streams, 2);
  // A prime that divides no number of streams in use: multiples of it meet every stream once.
  let at = 0;
  return () => (at = (at + 999_983) % streams);
}

const partitioner = Partitioners.DefaultPartitioner();
const partitionMetadata = Array.from({ length: PARTITIONS }, (_, partitionId) => ({
  partitionErrorCode: 0,
  partitionId,
  leader: 0,
  replicas: [],
  isr: [],
}));

/** As every client of Kafka has it for a record's key. */
function partitionOf(key: string): number {
  return partitioner({ topic: '', partitionMetadata, message: { key, value: null } });
}
