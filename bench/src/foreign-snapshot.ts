import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { aggregate, Commands, Database, event, KappaModule, topic, type } from 'nest-kappa';
import pg from 'pg';
import type { Bench } from './bench.js';
import { makeDataFolder } from './data-folder.js';
import { readEnvironment } from './environment.js';
import { compared, type BenchReport } from './result.js';

const Happened = event('thing.happened', type<{ text: string }>());
const things = topic('things', { partitions: 8, events: [Happened] });

class Happen {
  constructor(
    readonly thingId: string,
    readonly text: string,
  ) {}
}

const thing = aggregate({ name: 'thing', topic: things, id: 'thingId', initialState: () => 0 })
  .evolve({ 'thing.happened': (count) => count + 1 })
  .decide(Happen, ({ text }) => [Happened({ text })]);

const WRITERS = 16;
/** Hot streams: were there a counter row, it would be these appends that fill it with dead tuples. */
const STREAMS = 64;
const TEXT = 'x'.repeat(240);
const SECONDS = 60;

export const foreignSnapshot: Bench = {
  logs: ['postgres'],
  run: ({ quick, rounds }) => benchForeignSnapshot(rounds ?? (quick ? 1 : 3), quick ? SECONDS / 4 : SECONDS),
};

/**
 * Appends as fast as it can, in turn without and with somebody's open REPEATABLE READ transaction. A design that updates a row
 * per append slows down from second to second while that transaction is open; ours must not.
 */
async function benchForeignSnapshot(rounds: number, seconds: number): Promise<BenchReport> {
  const folder = await makeDataFolder();
  @Module({
    imports: [
      KappaModule.forRoot({ name: 'bench', database: { dataDir: join(folder.path, 'kappa') }, run: { commands: true } }),
      KappaModule.forFeature({ aggregates: [thing] }),
    ],
  })
  class BenchModule {}
  const app = await NestFactory.createApplicationContext(BenchModule, { logger: ['warn', 'error'], abortOnError: false });
  try {
    const commands = app.get(Commands, { strict: false });
    const database = app.get(Database, { strict: false });
    const environment = await readEnvironment(database);
    await appendFor(commands, 2);
    const ours: number[] = [];
    const theirs: number[] = [];
    for (let round = 0; round < rounds; round += 1) {
      theirs.push(await appendFor(commands, seconds));
      ours.push(await underSnapshot(database.url, () => appendFor(commands, seconds)));
    }
    const head = {
      bench: 'append',
      case: `${WRITERS} writers under a foreign snapshot open for ${seconds} s`,
      unit: 'events/s',
      against: 'the same without it',
      atLeast: 0.8,
      aim: 0.95,
    };
    return { environment, results: [compared(head, { ours, theirs })] };
  } finally {
    await app.close();
    await folder.remove();
  }
}

async function underSnapshot<T>(url: string, work: () => Promise<T>): Promise<T> {
  const foreign = new pg.Client({ connectionString: url });
  await foreign.connect();
  try {
    await foreign.query('begin isolation level repeatable read');
    await foreign.query('select txid_current()');
    return await work();
  } finally {
    await foreign.end();
  }
}

/** Events a second over all writers. */
async function appendFor(commands: Commands, seconds: number): Promise<number> {
  const run = randomUUID();
  const start = performance.now();
  let appended = 0;
  const write = async (writer: number): Promise<void> => {
    for (let turn = writer; performance.now() - start < seconds * 1_000; turn += WRITERS) {
      await commands.execute(new Happen(`${run}-${turn % STREAMS}`, TEXT));
      appended += 1;
    }
  };
  await Promise.all(Array.from({ length: WRITERS }, (_, writer) => write(writer)));
  return (appended * 1_000) / (performance.now() - start);
}
