import { setTimeout as sleep } from 'node:timers/promises';
import type { INestApplicationContext } from '@nestjs/common';
import { Health, ProjectionOperations } from 'nest-kappa';

const WITHIN_MS = 60_000;

/** Until each projection of the application is read, and followed by this process. */
export async function untilLive(app: INestApplicationContext): Promise<void> {
  const health = app.get(Health, { strict: false });
  const operations = app.get(ProjectionOperations, { strict: false });
  const began = performance.now();
  for (;;) {
    const { ready, reasons } = await health.ready();
    const live = (await operations.status()).every(({ builds }) => builds.some(({ active }) => active));
    if (ready && live) return;
    if (performance.now() - began > WITHIN_MS) throw new Error(`not live after ${WITHIN_MS / 1_000} s: ${reasons.join('; ')}`);
    await sleep(50);
  }
}
