import { randomBytes } from 'node:crypto';
import pg from 'pg';
import { Database } from '../../src/database/database.js';
import { Migrator } from '../../src/database/migrator.js';
import { projectionMigrations } from '../../src/modules/projections/migrations.js';

export interface FreshDatabase {
  readonly database: Database;
  readonly url: string;
  /** A second pool on the same database, as another process has it. */
  another(options?: { readonly schema?: string; readonly viewSchema?: string; readonly url?: string }): Database;
  stop(): Promise<void>;
}

/** A database of its own with the tables of projections. */
export async function freshDatabase(
  options: { readonly schema?: string; readonly viewSchema?: string } = {},
): Promise<FreshDatabase> {
  const server = process.env['PROJECTIONS_TEST_URL'] ?? 'postgres://postgres@127.0.0.1:54871/postgres';
  const name = `projections_${randomBytes(6).toString('hex')}`;
  const admin = new pg.Client({ connectionString: server });
  await admin.connect();
  await admin.query(`create database ${name}`);
  const url = Object.assign(new URL(server), { pathname: `/${name}` }).toString();
  const opened: Database[] = [];
  const open = (given: { readonly schema?: string; readonly viewSchema?: string; readonly url?: string }): Database => {
    const database = new Database({ url, ...options, ...given });
    opened.push(database);
    return database;
  };
  const database = open({});
  await new Migrator(database, projectionMigrations).migrate();
  return {
    database,
    url,
    another: (given = {}) => open(given),
    stop: async () => {
      for (const each of opened) await each.stop();
      await admin.query(`drop database ${name} with (force)`);
      await admin.end();
    },
  };
}
