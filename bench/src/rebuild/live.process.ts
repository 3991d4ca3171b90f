import 'reflect-metadata';
import { performance } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Database, KappaModule, ProjectionOperations } from 'nest-kappa';
import { playPart } from '../part.js';
import { untilLive } from '../until-live.js';
import { projectionOf, type TableName } from './generated-projections.js';
import type { RebuildReport } from './side.js';

export interface LivePart {
  readonly databaseUrl: string;
  readonly topic: string;
  /** Projections of the topic that become live or are live already. */
  readonly projections: readonly { readonly name: string; readonly table: TableName }[];
  /** Events to catch up with; 0 ends as soon as all are live. */
  readonly events: number;
}

const LOOK_MS = 50;
const WITHIN_MS = 600_000;

/**
 * An application follows the log with live projections, as it starts by default. The rate is that between the first batch that is
 * seen in the table's checkpoint and the last.
 */
playPart(async ({ databaseUrl, topic, projections, events }: LivePart): Promise<RebuildReport> => {
  @Module({
    imports: [
      KappaModule.forRoot({ name: 'bench-live', database: { url: databaseUrl }, run: { projections: true } }),
      KappaModule.forFeature({ projections: projections.map(({ name, table }) => projectionOf(topic, table, name)) }),
    ],
  })
  class LiveModule {}
  const app = await NestFactory.createApplicationContext(LiveModule, { logger: ['warn', 'error'], abortOnError: false });
  try {
    const operations = app.get(ProjectionOperations, { strict: false });
    const look = async (): Promise<{ readonly at: number; readonly done: number; readonly table: string }> => {
      const [status] = await operations.status(projections.map(({ name }) => name));
      const live = status?.builds.find(({ active }) => active);
      const done = live?.progress.reduce((sum, { nextOffset }) => sum + nextOffset, 0) ?? 0;
      return { at: performance.now(), done, table: live?.build.tableName ?? '' };
    };
    if (events === 0) {
      await untilLive(app);
      return { events: 0, seconds: 0, built: [] };
    }
    let first = await look();
    for (let last = first; ; last = await look()) {
      if (first.done === 0) first = last;
      if (last.done === events) {
        const { schema } = app.get(Database, { strict: false });
        return {
          events: last.done - first.done,
          seconds: (last.at - first.at) / 1_000,
          built: [`"${schema}"."${last.table}"`],
        };
      }
      if (last.at - first.at > WITHIN_MS) throw new Error(`${last.done} of ${events} events after ${WITHIN_MS / 1_000} s`);
      await sleep(LOOK_MS);
    }
  } finally {
    await app.close();
  }
});
