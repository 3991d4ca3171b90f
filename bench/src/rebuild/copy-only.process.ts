import { once } from 'node:events';
import { performance } from 'node:perf_hooks';
import { finished } from 'node:stream/promises';
import { Writable } from 'node:stream';
import pg from 'pg';
import { from as copyFrom } from 'pg-copy-streams';
import { CopyWriter } from '../generated-log/copy-writer.js';
import { generatedEvents, type GeneratedOptions } from '../generated-log/generated-events.js';
import { playPart } from '../part.js';
import type { RebuildReport } from './side.js';

export interface CopyPart {
  readonly databaseUrl: string;
  readonly log: GeneratedOptions;
}

/** The ceiling of writing: COPY of rows whose binary form lies ready in memory, into a table without an index, in one transaction. */
playPart(async ({ databaseUrl, log }: CopyPart): Promise<RebuildReport> => {
  const chunks = await rowsOf(log);
  const client = new pg.Client({ connectionString: databaseUrl });
  await client.connect();
  await client.query(CREATE);
  const began = performance.now();
  const copy = client.query(copyFrom('copy bench.things (id, n, last, sum) from stdin (format binary)'));
  for (const chunk of chunks) if (!copy.write(chunk)) await once(copy, 'drain');
  copy.end();
  await finished(copy);
  const seconds = (performance.now() - began) / 1_000;
  await client.end();
  return { events: log.events, seconds, built: ['bench.things'] };
});

const CREATE = `
drop schema if exists bench cascade;
create schema bench;
create table bench.things (id text not null, n int not null, last int not null, sum double precision not null)`;

/** The rows of a log in which each event is the only one of its stream. */
async function rowsOf(log: GeneratedOptions): Promise<readonly Buffer[]> {
  const chunks: Buffer[] = [];
  const writer = new CopyWriter(
    new Writable({
      write: (chunk: Buffer, _, done) => {
        chunks.push(chunk);
        done();
      },
    }),
  );
  for (const { n, streamId } of generatedEvents(log)) {
    writer.row(4);
    writer.text(streamId);
    writer.int4(1);
    writer.int4(n);
    writer.float8(n);
    if (writer.isFull) await writer.send();
  }
  await writer.end();
  return chunks;
}
