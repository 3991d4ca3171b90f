import 'reflect-metadata';
import { setTimeout as sleep } from 'node:timers/promises';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { KappaModule, ProjectionOperations } from 'nest-kappa';
import { playPart } from '../part.js';
import { untilLive } from '../until-live.js';
import { clockMs } from './clock.js';
import { sizedProjections, viewOf, type Size } from './sized-projections.js';

export interface SwapsPart {
  readonly databaseUrl: string;
  readonly size: Size;
  readonly swaps: number;
}

/** One swap, on the clock of {@link clockMs}. */
export interface TimedSwap {
  readonly beganMs: number;
  readonly endedMs: number;
  /** As the swap itself has it: from asking for the first lock to the end of the transaction. */
  readonly lockedMs: number;
}

/** Compiles what a swap runs through; not counted. */
const WARM_UP = 4;
/** Between two, in which readers read on. */
const PAUSE_MS = 50;

/** An application as it starts by default, which swaps one projection back and forth between its two builds. */
playPart(async ({ databaseUrl, size, swaps }: SwapsPart): Promise<readonly TimedSwap[]> => {
  @Module({
    imports: [
      KappaModule.forRoot({ name: 'bench-swap', database: { url: databaseUrl } }),
      KappaModule.forFeature({ projections: sizedProjections }),
    ],
  })
  class SwapModule {}
  const app = await NestFactory.createApplicationContext(SwapModule, { logger: ['warn', 'error'], abortOnError: false });
  try {
    await untilLive(app);
    const operations = app.get(ProjectionOperations, { strict: false });
    const timed: TimedSwap[] = [];
    for (let count = -WARM_UP; count < swaps; count += 1) {
      await sleep(PAUSE_MS);
      const beganMs = clockMs();
      const [result] = await operations.rollback([viewOf(size)]);
      if (!result) throw new Error('nothing was swapped');
      if (count >= 0) timed.push({ beganMs, endedMs: clockMs(), lockedMs: result.lockedMs });
    }
    await sleep(PAUSE_MS);
    return timed;
  } finally {
    await app.close();
  }
});
