import 'reflect-metadata';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Database, KappaModule, ProjectionOperations } from 'nest-kappa';
import { playPart } from '../part.js';
import { untilLive } from '../until-live.js';
import { rowKey, sizedProjections, SIZES, viewOf, type Size } from './sized-projections.js';

export interface PreparePart {
  readonly databaseUrl: string;
  readonly rows: Readonly<Record<Size, number>>;
}

/**
 * A live and a standby build of each size, at one position. Their rows are put straight into both tables: a swap does not ask
 * where rows came from, and no build of ten million has to be waited for twice.
 */
playPart(async ({ databaseUrl, rows }: PreparePart): Promise<null> => {
  @Module({
    imports: [
      KappaModule.forRoot({ name: 'bench-swap', database: { url: databaseUrl } }),
      KappaModule.forFeature({ projections: sizedProjections }),
    ],
  })
  class PrepareModule {}
  const app = await NestFactory.createApplicationContext(PrepareModule, { logger: ['warn', 'error'], abortOnError: false });
  try {
    await untilLive(app);
    const operations = app.get(ProjectionOperations, { strict: false });
    const database = app.get(Database, { strict: false });
    const names = SIZES.map(viewOf);
    for await (const { phase, error } of operations.rebuild({ projections: names, swap: true }))
      if (phase === 'failed') throw new Error(error ?? 'the rebuild failed');
    for (const size of SIZES) {
      const [status] = await operations.status([viewOf(size)]);
      for (const { build } of status?.builds ?? []) await fill(database, build.tableName, build.number, rows[size]);
    }
    // The commits that are timed would otherwise wait while the rows are brought to the disk.
    await database.query('checkpoint');
    return null;
  } finally {
    await app.close();
  }
});

async function fill(database: Database, tableName: string, build: number, rows: number): Promise<void> {
  const table = `"${database.schema}"."${tableName}"`;
  await database.query(
    `insert into ${table} (id, build, text) select 'item-' || lpad(n::text, 8, '0'), $1, repeat('x', 60) from generate_series(0, $2::int - 1) n`,
    [build, rows],
  );
  await database.query(`vacuum analyze ${table}`);
  const { rows: found } = await database.query<{ n: number }>(`select count(*) as n from ${table} where id <= $1`, [
    rowKey(rows - 1),
  ]);
  if (found[0]?.n !== rows) throw new Error(`${found[0]?.n ?? 'no'} rows stand in ${tableName}, ${rows} were put there`);
}
