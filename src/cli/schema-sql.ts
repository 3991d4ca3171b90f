import { Database } from '../database/database.js';
import { Migrator } from '../database/migrator.js';
import { kappaMigrations } from '../modules/kappa/migrations.js';

/** The whole DDL as one script. It is the same for every server: nothing is connected to. */
export function schemaSql(schema: string, viewSchema: string): string {
  return new Migrator(new Database({ url: 'postgres://nowhere', schema, viewSchema }), kappaMigrations).sql();
}
