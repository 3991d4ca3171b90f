import 'reflect-metadata';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Commands, KappaModule } from 'nest-kappa';
import { kafka } from 'nest-kappa/kafka';
import { playPart } from '../part.js';
import { Count, thingsOn } from '../things.js';
import { untilLive } from '../until-live.js';
import { measure, type LatencyPart } from './load.js';

/** An application in one process, as it starts by default: commands, the relay where Kafka carries the log, a live projection. */
playPart(async (part: LatencyPart) => {
  const { thing, counts } = thingsOn(part.partitions);
  @Module({
    imports: [
      KappaModule.forRoot({
        name: 'bench-latency',
        database: { url: part.databaseUrl },
        ...(part.brokers.length > 0 ? { log: kafka({ brokers: part.brokers }) } : {}),
      }),
      KappaModule.forFeature({ aggregates: [thing], projections: [counts] }),
    ],
  })
  class LatencyModule {}
  const app = await NestFactory.createApplicationContext(LatencyModule, { logger: ['warn', 'error'], abortOnError: false });
  const commands = app.get(Commands, { strict: false });
  try {
    await untilLive(app);
    return await measure(
      {
        table: 'public.things',
        append: (id, seq, text) => commands.execute(new Count(id, seq, text)),
      },
      part,
    );
  } finally {
    await app.close();
  }
});
