import { randomBytes } from 'node:crypto';
import { lstat, mkdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import pg from 'pg';
import { startEmbeddedPostgres } from '../database/embedded/embedded-postgres.js';
import { quoteIdentifier } from '../database/identifiers.js';
import { KappaError } from '../kernel/errors.js';

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
 * The server that tests run on: DATABASE_URL, else one embedded server that all test processes of a run share (those that one
 * runner has started); a few seconds after the last of them has left, or was killed, it is gone with all its data. Never the
 * machine's own server by accident.
 */
export async function testServer(): Promise<TestServer> {
  const given = process.env['DATABASE_URL'] ?? process.env[SHARED_URL];
  if (given) return { url: given, stop: () => Promise.resolve() };
  const server = await startEmbeddedPostgres({
    dataDir: await ownFolder(`nest-kappa-test-${process.env['KAPPA_TEST_RUN'] ?? process.ppid}`),
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
  const from = options.template ? ` template ${quoteIdentifier(options.template)}` : '';
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

/** In a folder that anyone may write to, somebody else may have been there before. */
async function ownFolder(name: string): Promise<string> {
  const uid = process.getuid?.();
  const folder = path.join(tmpdir(), uid === undefined ? name : `${name}-${uid}`);
  await mkdir(folder, { recursive: true });
  if (uid === undefined || (await lstat(folder)).uid === uid) return folder;
  throw new KappaError('KAPPA_DATA_DIR', `${folder} belongs to another user`, {
    nextStep: 'Set TMPDIR to a folder of your own, or DATABASE_URL.',
  });
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
