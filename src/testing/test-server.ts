import { randomBytes } from 'node:crypto';
import { tmpdir } from 'node:os';
import path from 'node:path';
import pg from 'pg';
import { startEmbeddedPostgres } from '../database/embedded/embedded-postgres.js';
import { quoteIdentifier } from '../database/identifiers.js';

/** A PostgreSQL for tests. */
export interface TestServer {
  readonly url: string;
  stop(): Promise<void>;
}

/** A database of one's own on it. */
export interface TestDatabase {
  readonly name: string;
  readonly url: string;
  /** Ends its connections and drops it. */
  drop(): Promise<void>;
}

/** Nothing of a test must survive a power cut: what durability costs is left out. */
const FAST = { fsync: 'off', synchronous_commit: 'off', full_page_writes: 'off', max_connections: '300', max_wal_size: '4GB' };

const SHARED_URL = 'KAPPA_TEST_DATABASE_URL';

/**
 * The server that tests run on: DATABASE_URL, else one embedded server per user and machine that all test processes of a run
 * share; it is gone with the last of them. Never the machine's own server by accident.
 */
export async function testServer(): Promise<TestServer> {
  const given = process.env['DATABASE_URL'] ?? process.env[SHARED_URL];
  if (given) return { url: given, stop: () => Promise.resolve() };
  const server = await startEmbeddedPostgres({
    dataDir: path.join(tmpdir(), `nest-kappa-test-${process.env['KAPPA_TEST_RUN'] ?? process.pid}`),
    serverSettings: FAST,
    removeWhenUnused: true,
  });
  return { url: server.url, stop: server.stop };
}

/** A fresh, empty database, or a copy of `template` (to which nobody may be connected). */
export async function createTestDatabase(
  options: { readonly server?: TestServer; readonly template?: string } = {},
): Promise<TestDatabase> {
  const server = options.server ?? (await testServer());
  const name = `kappa_test_${randomBytes(8).toString('hex')}`;
  const from = options.template ? ` template ${quoteIdentifier(options.template)} strategy wal_log` : '';
  await administer(server.url, `create database ${quoteIdentifier(name)}${from}`);
  const url = new URL(server.url);
  url.pathname = `/${name}`;
  return {
    name,
    url: url.href,
    drop: async () => {
      await administer(server.url, `drop database if exists ${quoteIdentifier(name)} with (force)`);
      if (!options.server) await server.stop();
    },
  };
}

async function administer(url: string, statement: string): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    await client.query(statement);
  } finally {
    await client.end();
  }
}
