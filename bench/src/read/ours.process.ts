import 'reflect-metadata';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { KappaModule, KappaRestModule } from 'nest-kappa';
import { holdPart } from '../part.js';
import { untilLive } from '../until-live.js';
import { nestAdapter, type AdapterName } from './adapters.js';
import { item, items } from './items.js';

export interface OursPart {
  readonly databaseUrl: string;
  readonly adapter: AdapterName;
}

/** What the bench is told of either side. */
export interface ServedReport {
  /** Before a row's key. */
  readonly url: string;
}

/** An application as it starts by default, which serves its one live projection over REST. */
holdPart(async ({ databaseUrl, adapter }: OursPart) => {
  @Module({
    imports: [
      KappaModule.forRoot({ name: 'bench-read', database: { url: databaseUrl } }),
      KappaModule.forFeature({ aggregates: [item], projections: [items] }),
      KappaRestModule.forFeature([items], { path: 'api' }),
    ],
  })
  class ReadModule {}
  const app = await NestFactory.create(ReadModule, await nestAdapter(adapter), {
    logger: ['warn', 'error'],
    abortOnError: false,
  });
  await app.listen(0, '127.0.0.1');
  await untilLive(app);
  const report: ServedReport = { url: `${await app.getUrl()}/api/items/` };
  return { report, stop: () => app.close() };
});
