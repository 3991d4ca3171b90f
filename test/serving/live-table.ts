import { Database } from '../../src/database/database.js';
import { Migrator } from '../../src/database/migrator.js';
import { kappaMigrations } from '../../src/modules/kappa/migrations.js';
import type { Build } from '../../src/modules/projections/build.js';
import { BuildStore } from '../../src/modules/projections/build-store.js';
import { createBuildTable } from '../../src/modules/projections/build-table.js';
import { fingerprintOf } from '../../src/modules/projections/fingerprint.js';
import type { ProjectionDefinition, Row } from '../../src/modules/projections/projection.js';
import { ProgressSignal } from '../../src/modules/projections/runner/progress-signal.js';
import { tableDefinition } from '../../src/modules/projections/table-definition.js';
import { ProgressWatch } from '../../src/modules/serving/progress-watch.js';
import { ProjectionReader, type ReadableProjection } from '../../src/modules/serving/projection-reader.js';
import { createTestDatabase } from '../../src/testing/test-server.js';

/** A database with our schema, in which a test puts builds into place by hand: what reading needs, without engines. */
export interface LiveTables {
  readonly database: Database;
  readonly progress: ProgressSignal;
  reader<R>(projection: ReadableProjection<R>): ProjectionReader<R>;
  /** The next build of a version, with rows, not live yet. */
  build(projection: ProjectionDefinition, rows: readonly Row[]): Promise<Build>;
  /** Points readers at it. */
  swapTo(build: Build): Promise<void>;
  /** Moves the position of a build on. */
  advance(build: Build, partition: number, nextOffset: number): Promise<void>;
  drop(build: Build): Promise<void>;
  stop(): Promise<void>;
}

export async function liveTables(options: { readonly schema?: string; readonly poolSize?: number } = {}): Promise<LiveTables> {
  const made = await createTestDatabase();
  const database = new Database({ url: made.url, ...options });
  await new Migrator(database, kappaMigrations).migrate();
  const builds = new BuildStore(database);
  const progress = new ProgressSignal();
  const watch = new ProgressWatch(database, progress);
  return {
    database,
    progress,
    reader: (projection) => new ProjectionReader(projection, database, watch),
    build: async (projection, rows) => {
      const table = tableDefinition(projection);
      const { shape, code } = fingerprintOf(projection, table);
      const topics = projection.from.map(({ name, partitions }) => ({
        description: { name, partitions, retention: null, incarnation: '1' },
        begins: Array.from({ length: partitions }, () => 0),
      }));
      const build = await builds.create({
        projection: projection.name,
        version: projection.version,
        shape,
        code,
        swapWhenReady: false,
        swapGroup: null,
        state: 'planned',
        topics,
        log: { driver: 'postgres', cluster: 'test' },
      });
      const physical = createBuildTable(database.schema, build.tableName, table);
      await physical.create(database);
      await physical.createKey(database);
      if (rows.length > 0)
        await physical.upsert(
          database,
          rows.map((row) => physical.codec.canonical(row)),
        );
      return build;
    },
    swapTo: async (build) => {
      await database.query(`update projections set active_build = $2 where name = $1`, [build.projection, build.id]);
    },
    advance: async (build, partition, nextOffset) => {
      await database.query(`update progress set next_offset = $3 where build_id = $1 and partition = $2`, [
        build.id,
        partition,
        nextOffset,
      ]);
    },
    drop: async (build) => {
      await database.query(`drop table "${build.tableName}"`);
    },
    stop: async () => {
      await watch.stop();
      await database.stop();
      await made.drop();
    },
  };
}
