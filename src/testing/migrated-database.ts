import { createHash } from 'node:crypto';
import pg from 'pg';
import { Database } from '../database/database.js';
import { quoteIdentifier } from '../database/identifiers.js';
import { Migrator } from '../database/migrator.js';
import { kappaMigrations } from '../modules/kappa/migrations.js';
import { createTestDatabase, testServer, type TestDatabase, type TestServer } from './test-server.js';

const SCHEMA = 'kappa';
const TAKE_LOCK = 'select pg_advisory_lock(hashtextextended($1, 0))';
const EXISTS = 'select 1 from pg_database where datname = $1';
/** A copied log is another log: checkpoints of one must not count on the other. */
const NEW_IDENTITY = 'update log_identity set cluster = default';

/**
 * The embedded server stays up between the tests of a process, as starting one takes seconds; its watchdog stops it when the
 * process ends. A server that DATABASE_URL names is nobody's to stop.
 */
let warmServer: Promise<TestServer> | null = null;

/** A database with our schema, copied from a template that is made once per server and schema version: some 50 ms, not 500. */
export async function createMigratedDatabase(): Promise<TestDatabase> {
  warmServer ??= testServer();
  const server = await warmServer.catch((error: unknown) => {
    warmServer = null;
    throw error;
  });
  const made = await createTestDatabase({ server, template: await template(server) });
  const database = new Database({ url: made.url, schema: SCHEMA });
  await database.query(NEW_IDENTITY).finally(() => database.stop());
  return made;
}

async function template(server: TestServer): Promise<string> {
  const name = `kappa_template_${fingerprint()}`;
  const admin = new pg.Client({ connectionString: server.url });
  await admin.connect();
  try {
    // Several test processes may want the first one at once.
    await admin.query(TAKE_LOCK, [name]);
    const { rowCount } = await admin.query(EXISTS, [name]);
    if (rowCount === 0) await makeTemplate(admin, server, name);
    return name;
  } finally {
    await admin.end();
  }
}

/** Made under another name and then renamed, so that a killed process leaves no half template. */
async function makeTemplate(admin: pg.Client, server: TestServer, name: string): Promise<void> {
  const half = await createTestDatabase({ server });
  const database = new Database({ url: half.url, schema: SCHEMA });
  await new Migrator(database, kappaMigrations).migrate().finally(() => database.stop());
  await admin.query(`alter database ${quoteIdentifier(half.name)} rename to ${quoteIdentifier(name)}`);
}

function fingerprint(): string {
  const names = { schema: quoteIdentifier(SCHEMA), viewSchema: quoteIdentifier('public') };
  const hash = createHash('sha256');
  for (const migration of kappaMigrations) hash.update(migration.id).update(migration.up(names));
  return hash.digest('hex').slice(0, 16);
}
