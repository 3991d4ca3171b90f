import { Database, type DatabaseOptions } from '../../src/database/database.js';
import { deadLetterMigrations } from '../../src/database/dead-letters/migrations.js';
import { Migrator } from '../../src/database/migrator.js';
import { projectionMigrations } from '../../src/modules/projections/migrations.js';
import { createTestDatabase, testServer, type TestServer } from '../../src/testing/test-server.js';

export interface FreshDatabase {
  readonly database: Database;
  readonly url: string;
  /** A second pool on the same database, as another process has it. */
  another(options?: Partial<DatabaseOptions>): Database;
  stop(): Promise<void>;
}

let shared: Promise<TestServer> | null = null;

/** A database of its own with the tables of projections. */
export async function freshDatabase(options: Partial<DatabaseOptions> = {}): Promise<FreshDatabase> {
  shared ??= testServer();
  const made = await createTestDatabase({ server: await shared });
  const opened: Database[] = [];
  const another = (given: Partial<DatabaseOptions> = {}): Database => {
    const database = new Database({ url: made.url, ...options, ...given });
    opened.push(database);
    return database;
  };
  const database = another();
  await new Migrator(database, [...deadLetterMigrations, ...projectionMigrations]).migrate();
  return {
    database,
    url: made.url,
    another,
    stop: async () => {
      for (const each of opened) await each.stop();
      await made.drop();
    },
  };
}
