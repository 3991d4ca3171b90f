import { randomUUID } from 'node:crypto';
import type { BenchEvent } from './side.js';

export const PARTITIONS = 8;
export const EVENT_TYPE = 'thing.happened';

/** What ours writes of an event, as a hand-written writer would: the same columns, and the headers that ours keeps of it. */
export interface Row {
  readonly stream: string;
  readonly version: number;
  readonly partition: number;
  readonly value: Buffer;
  readonly headers: string;
}

export function rowOf(stream: string, version: number, event: BenchEvent): Row {
  const id = randomUUID();
  const headers = {
    ce_id: id,
    ce_type: EVENT_TYPE,
    ce_source: '/append-thing',
    ce_time: new Date().toISOString(),
    ce_correlationid: id,
  };
  return {
    stream,
    version,
    partition: partitionOf(stream),
    value: Buffer.from(JSON.stringify(event)),
    headers: JSON.stringify(headers),
  };
}

/** Any spread will do: the streams' numbers. */
function partitionOf(stream: string): number {
  return Number(/\d+$/.exec(stream)?.[0] ?? 0) % PARTITIONS;
}

/** The table that ours has, with its two indexes. */
export function createRecords(schema: string): string {
  return `
drop schema if exists ${schema} cascade;
create schema ${schema};
create table ${schema}.records ("offset" bigint not null, recorded_at timestamptz not null, topic_id int not null, partition int not null,
  version int, key text, value bytea, headers json not null, event_type text, stream text collate "C",
  primary key (topic_id, partition, "offset"));
create unique index on ${schema}.records (stream, version) where stream is not null;`;
}
