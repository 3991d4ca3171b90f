import 'reflect-metadata';
import { setTimeout as sleep } from 'node:timers/promises';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Commands, Database, KappaModule } from 'nest-kappa';
import { kafka } from 'nest-kappa/kafka';
import { holdPart } from '../part.js';
import { Count, thingsOn } from '../things.js';
import { untilLive } from '../until-live.js';

/** Where its PostgreSQL is: one that runs, or a folder for its own. */
export interface IdlePart {
  readonly database: { readonly url: string } | { readonly dataDir: string };
  readonly brokers: readonly string[];
  readonly partitions: number;
}

export interface IdleReport {
  readonly databaseUrl: string;
}

/** An application with two live projections, as it starts by default, which has handled an event and then has nothing to do. */
holdPart(async (part: IdlePart) => {
  const { thing, counts, texts } = thingsOn(part.partitions);
  @Module({
    imports: [
      KappaModule.forRoot({
        name: 'bench-idle',
        database: part.database,
        ...(part.brokers.length > 0 ? { log: kafka({ brokers: part.brokers }) } : {}),
      }),
      KappaModule.forFeature({ aggregates: [thing], projections: [counts, texts] }),
    ],
  })
  class IdleModule {}
  const app = await NestFactory.createApplicationContext(IdleModule, { logger: ['warn', 'error'], abortOnError: false });
  await untilLive(app);
  await app.get(Commands, { strict: false }).execute(new Count('thing', 1, 'text'));
  const database = app.get(Database, { strict: false });
  for (const view of ['things', 'texts'])
    while ((await database.query(`select from public.${view}`)).rowCount === 0) await sleep(20);
  const report: IdleReport = { databaseUrl: database.url };
  return { report, stop: () => app.close() };
});
