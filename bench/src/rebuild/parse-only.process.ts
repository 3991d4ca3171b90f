import { performance } from 'node:perf_hooks';
import pg from 'pg';
import { playPart } from '../part.js';
import { pagesOf } from './pages.js';
import type { RebuildPart, RebuildReport } from './side.js';

/** The ceiling of reading: pages out of PostgreSQL and parses every value, writes nothing. */
playPart(async ({ databaseUrl, topic }: RebuildPart): Promise<RebuildReport> => {
  const client = new pg.Client({ connectionString: databaseUrl });
  await client.connect();
  let events = 0;
  let sum = 0;
  const began = performance.now();
  for await (const { records } of pagesOf(client, topic, false)) {
    for (const { value } of records) sum += (JSON.parse(value) as { n: number }).n;
    events += records.length;
  }
  const seconds = (performance.now() - began) / 1_000;
  await client.end();
  if (sum !== (events * (events - 1)) / 2) throw new Error(`${events} events have the sum ${sum}`);
  return { events, seconds, built: [] };
});
