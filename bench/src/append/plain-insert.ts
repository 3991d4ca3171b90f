import { peerPool } from './peer-pool.js';
import { createRecords, EVENT_TYPE, PARTITIONS, rowOf } from './row.js';
import type { AppendSide } from './side.js';

const INSERT = `
insert into bench_plain.records ("offset", recorded_at, topic_id, partition, version, key, value, headers, event_type, stream)
values ($1, now(), 1, $2, $3, $4, $5, $6, $7, $4)`;

/**
 * The ceiling: one INSERT an event, committed by itself. It checks nothing and counts versions and offsets in memory, which only
 * one process can do.
 */
export async function plainInsert(url: string, connections: number): Promise<AppendSide> {
  const pool = peerPool(url, connections);
  await pool.query(createRecords('bench_plain'));
  const versions = new Map<string, number>();
  const ends = Array.from({ length: PARTITIONS }, () => 0);
  return {
    append: async (stream, events) => {
      for (const event of events) {
        const version = (versions.get(stream) ?? 0) + 1;
        versions.set(stream, version);
        const row = rowOf(stream, version, event);
        const offset = ends[row.partition] ?? 0;
        ends[row.partition] = offset + 1;
        const values = [offset, row.partition, version, stream, row.value, row.headers, EVENT_TYPE];
        await pool.query({ name: 'bench plain', text: INSERT, values });
      }
    },
    count: async () => Number((await pool.query<{ n: string }>('select count(*) as n from bench_plain.records')).rows[0]?.n),
    close: () => pool.end(),
  };
}
