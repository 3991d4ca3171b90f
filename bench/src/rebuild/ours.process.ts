import 'reflect-metadata';
import { performance } from 'node:perf_hooks';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Database, KappaModule, ProjectionOperations } from 'nest-kappa';
import { kafka } from 'nest-kappa/kafka';
import { playPart } from '../part.js';
import { projectionName, projectionOf } from './generated-projections.js';
import type { RebuildPart, RebuildReport } from './side.js';

/** The first build of a projection goes on to be live by itself. */
const DONE = new Set(['ready', 'live']);

/** An application that does nothing else rebuilds all tables in one pass, with its default settings. */
playPart(async ({ databaseUrl, brokers, topic, tables }: RebuildPart): Promise<RebuildReport> => {
  const names = tables.map((table) => projectionName(topic, table));
  @Module({
    imports: [
      KappaModule.forRoot({
        name: 'bench-rebuild',
        database: { url: databaseUrl },
        run: {},
        ...(brokers.length > 0 ? { log: kafka({ brokers }) } : {}),
      }),
      KappaModule.forFeature({ projections: tables.map((table) => projectionOf(topic, table)) }),
    ],
  })
  class RebuildModule {}
  const app = await NestFactory.createApplicationContext(RebuildModule, { logger: ['warn', 'error'], abortOnError: false });
  try {
    const operations = app.get(ProjectionOperations, { strict: false });
    await dropFormer(operations, names);
    const began = performance.now();
    for await (const progress of operations.rebuild({ projections: names })) {
      if (progress.phase === 'failed') throw new Error(progress.error ?? 'the rebuild failed');
    }
    const seconds = (performance.now() - began) / 1_000;
    const { schema } = app.get(Database, { strict: false });
    const statuses = await operations.status(names);
    const built = names.map((name) => {
      const found = statuses.find((status) => status.name === name)?.builds.findLast(({ build }) => DONE.has(build.state));
      if (!found) throw new Error(`${name} was not built`);
      return found;
    });
    const events = built[0]?.progress.reduce((sum, { nextOffset }) => sum + nextOffset, 0) ?? 0;
    return { events, seconds, built: built.map(({ build }) => `"${schema}"."${build.tableName}"`) };
  } finally {
    await app.close();
  }
});

/** A build that stayed from the last time would be handed back instead of being built. */
async function dropFormer(operations: ProjectionOperations, names: readonly string[]): Promise<void> {
  for (const { name, builds } of await operations.status(names))
    for (const { active, build } of builds) if (!active) await operations.drop(name, { build: build.id });
}
