import 'reflect-metadata';
import { readFile } from 'node:fs/promises';
import { performance } from 'node:perf_hooks';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Database, KappaModule, ProjectionOperations } from 'nest-kappa';
import { playPart } from '../part.js';
import { countedProjection } from './counted-projection.js';

export interface RebuildPart {
  readonly databaseUrl: string;
  readonly topic: string;
  readonly projection: string;
  readonly events: number;
  readonly rows: number;
}

export interface RebuildFigures {
  readonly seconds: number;
  /** Of this process, from its start on; in millions of bytes. */
  readonly peakMb: number;
}

/** An application that rebuilds one projection and does nothing else, with its default settings. */
playPart(async (part: RebuildPart): Promise<RebuildFigures> => {
  const counted = countedProjection(part.projection, part.topic);
  @Module({
    imports: [
      KappaModule.forRoot({ name: 'bench-scale', database: { url: part.databaseUrl }, run: {} }),
      KappaModule.forFeature({ projections: [counted] }),
    ],
  })
  class RebuildModule {}
  const app = await NestFactory.createApplicationContext(RebuildModule, { logger: ['warn', 'error'], abortOnError: false });
  try {
    const operations = app.get(ProjectionOperations, { strict: false });
    const began = performance.now();
    for await (const { phase, error } of operations.rebuild({ projections: [part.projection] }))
      if (phase === 'failed') throw new Error(error ?? 'the rebuild failed');
    const seconds = (performance.now() - began) / 1_000;
    const peakMb = await peakMemoryMb();
    await checkAndDrop(app.get(Database, { strict: false }), operations, part);
    return { seconds, peakMb };
  } finally {
    await app.close();
  }
});

/** The most that was resident at any time, as the kernel has it. */
async function peakMemoryMb(): Promise<number> {
  const status = await readFile('/proc/self/status', 'utf8');
  return (Number(/^VmHWM:\s+(\d+) kB$/m.exec(status)?.[1]) * 1_024) / 1e6;
}

/** A time counts only when every event is in the table, and the next round builds anew. */
async function checkAndDrop(
  database: Database,
  operations: ProjectionOperations,
  { projection, events, rows }: RebuildPart,
): Promise<void> {
  const [status] = await operations.status([projection]);
  const built = status?.builds.at(-1);
  if (!built) throw new Error(`${projection} has no build`);
  const { rows: sums } = await database.query<{ rows: number; events: number; last: number }>(
    `select count(*) as rows, sum(events)::int8 as events, max(last) as last from "${database.schema}"."${built.build.tableName}"`,
  );
  const [sum] = sums;
  if (sum?.rows !== rows || sum.events !== events || sum.last !== events - 1)
    throw new Error(`${events} events of ${rows} streams were built into ${JSON.stringify(sum)}`);
  if (!built.active) await operations.drop(projection, { build: built.build.id });
}
