import { performance } from 'node:perf_hooks';
import pg from 'pg';
import { playPart } from '../part.js';
import { groupOf, type TableName } from './generated-projections.js';
import { LOOP_TABLES, Lines } from './loop-tables.js';
import { pagesOf } from './pages.js';
import type { RebuildPart, RebuildReport } from './side.js';

/**
 * What a good engineer writes in a day: page by page, fold in Maps, one multi-row upsert per table and a checkpoint a page, all in
 * one transaction a page.
 */
playPart(async ({ databaseUrl, topic, tables }: RebuildPart): Promise<RebuildReport> => {
  const client = new pg.Client({ connectionString: databaseUrl });
  await client.connect();
  await client.query(CREATE + tables.map((table) => LOOP_TABLES[table].create).join(''));
  const lines = tables.map((table) => ({ table, lines: new Lines() }));
  let events = 0;
  const began = performance.now();
  for await (const { partition, next, records } of pagesOf(client, topic, tables.includes('days'))) {
    for (const { key, occurredAt, value } of records) {
      const { n } = JSON.parse(value) as { n: number };
      for (const each of lines) each.lines.add(keyIn(each.table, key, occurredAt), n);
    }
    events += records.length;
    await client.query('begin');
    for (const { table, lines: each } of lines)
      await client.query({
        name: table,
        text: LOOP_TABLES[table].upsert,
        values: each.takeTouched(LOOP_TABLES[table].hasLast),
      });
    await client.query({ name: 'checkpoint', text: CHECKPOINT, values: [partition, next] });
    await client.query('commit');
  }
  const seconds = (performance.now() - began) / 1_000;
  await client.end();
  return { events, seconds, built: tables.map((table) => `bench.${table}`) };
});

const CREATE = `
drop schema if exists bench cascade;
create schema bench;
create table bench.checkpoint (partition int primary key, next bigint not null);`;

const CHECKPOINT = 'insert into bench.checkpoint values ($1, $2) on conflict (partition) do update set next = excluded.next';

function keyIn(table: TableName, streamId: string, occurredAt: string): string {
  if (table === 'things') return streamId;
  return table === 'groups' ? groupOf(streamId) : occurredAt.slice(0, 10);
}
