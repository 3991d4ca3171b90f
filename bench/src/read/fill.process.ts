import 'reflect-metadata';
import { setTimeout as sleep } from 'node:timers/promises';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Commands, Database, formatPosition, InjectReader, KappaModule, Reader } from 'nest-kappa';
import { playPart } from '../part.js';
import { untilLive } from '../until-live.js';
import { ChangeItem, item, itemData, itemId, items } from './items.js';

export interface FillPart {
  readonly databaseUrl: string;
  readonly rows: number;
}

/** The stamp that answers bear as long as nothing is written. */
export interface FillReport {
  readonly version: number;
  readonly position: string;
}

const WRITERS = 256;

class Stamps {
  constructor(@InjectReader(items) readonly items: Reader<object>) {}
}

/** Makes the rows that are read: those of the projection, by commands, and the same in `bench.items` for a handler of its own. */
playPart(async ({ databaseUrl, rows }: FillPart): Promise<FillReport> => {
  @Module({
    imports: [
      KappaModule.forRoot({ name: 'bench-read', database: { url: databaseUrl } }),
      KappaModule.forFeature({ aggregates: [item], projections: [items] }),
    ],
    providers: [Stamps],
  })
  class FillModule {}
  const app = await NestFactory.createApplicationContext(FillModule, { logger: ['warn', 'error'], abortOnError: false });
  try {
    const commands = app.get(Commands, { strict: false });
    const database = app.get(Database, { strict: false });
    await untilLive(app);
    let next = 0;
    const write = async (): Promise<void> => {
      for (let number = next++; number < rows; number = next++)
        await commands.execute(new ChangeItem(itemId(number), itemData(number)));
    };
    await Promise.all(Array.from({ length: WRITERS }, write));
    while (((await database.query<{ n: number }>('select count(*) as n from public.items')).rows[0]?.n ?? 0) < rows)
      await sleep(50);
    await database.query(COPY_ROWS);
    await database.query('vacuum analyze');
    const { stamp } = await app.get(Stamps).items.read(itemId(0));
    return { version: stamp.version, position: formatPosition(stamp.position) };
  } finally {
    await app.close();
  }
});

const COPY_ROWS = `
drop schema if exists bench cascade;
create schema bench;
create table bench.items as table public.items;
alter table bench.items add primary key (id)`;
