import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { NestFactory } from '@nestjs/core';
import { Module, type INestApplicationContext } from '@nestjs/common';
import { KappaModule } from 'nest-kappa';
import { FinesImport } from '../../../examples/fines/dist/src/fines-import.js';
import { FinesModule } from '../../../examples/fines/dist/src/fines.module.js';
import { makeDataFolder } from '../data-folder.js';

/** The real log of fines; not part of the project, found by its path. */
export const FINES_FILE =
  process.env['KAPPA_FINES_FILE'] ?? new URL('../../../../shared/data/road-traffic-fines.csv.gz', import.meta.url).pathname;

export interface FinesLog {
  readonly app: INestApplicationContext;
  readonly events: number;
  close(): Promise<void>;
}

/** Imports all events into a fresh embedded PostgreSQL, through the aggregate. */
export async function openFinesLog(): Promise<FinesLog> {
  if (!existsSync(FINES_FILE))
    throw new Error(`The fines are not at ${FINES_FILE}. Set KAPPA_FINES_FILE to the path of road-traffic-fines.csv.gz.`);
  const folder = await makeDataFolder();
  @Module({ imports: [KappaModule.forRoot({ name: 'bench', database: { dataDir: join(folder.path, 'kappa') } }), FinesModule] })
  class BenchModule {}
  const app = await NestFactory.createApplicationContext(BenchModule, { logger: ['warn', 'error'], abortOnError: false });
  const { events, importSeconds } = await app.get(FinesImport).run(FINES_FILE, () => undefined);
  console.log(`imported ${events.toLocaleString('en')} events in ${importSeconds} s through the aggregate`);
  return {
    app,
    events,
    close: async () => {
      await app.close();
      await folder.remove();
    },
  };
}
