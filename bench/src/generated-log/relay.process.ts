import 'reflect-metadata';
import { setTimeout as sleep } from 'node:timers/promises';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { aggregate, KappaModule, RelayOperations } from 'nest-kappa';
import { kafka } from 'nest-kappa/kafka';
import { playPart } from '../part.js';
import { generatedTopic } from './generated-topic.js';

export interface RelayPart {
  readonly databaseUrl: string;
  readonly brokers: readonly string[];
  readonly topic: string;
}

const LOOK_MS = 200;

/** Copies a topic of the PostgreSQL log to Kafka by the relay itself, so that it stands there as it does in production. */
playPart(async ({ databaseUrl, brokers, topic }: RelayPart): Promise<{ readonly relayed: number }> => {
  const thing = aggregate({ name: topic, topic: generatedTopic(topic), id: 'thingId', initialState: () => 0 });
  @Module({
    imports: [
      KappaModule.forRoot({
        name: 'bench-relay',
        database: { url: databaseUrl },
        log: kafka({ brokers }),
        // An aggregate is bound to its topic, which is relayed from then on, where commands are executed.
        run: { commands: true, relay: true },
      }),
      KappaModule.forFeature({ aggregates: [thing.evolve({ 'thing.happened': (count) => count + 1 })] }),
    ],
  })
  class RelayModule {}
  const app = await NestFactory.createApplicationContext(RelayModule, { logger: ['warn', 'error'], abortOnError: false });
  try {
    const operations = app.get(RelayOperations, { strict: false });
    for (;;) {
      const lags = (await operations.status()).filter((lag) => lag.topic === topic);
      const relayed = lags.reduce((sum, lag) => sum + lag.relayed, 0);
      if (relayed > 0 && lags.every(({ behind }) => behind === 0)) return { relayed };
      await sleep(LOOK_MS);
    }
  } finally {
    await app.close();
  }
});
