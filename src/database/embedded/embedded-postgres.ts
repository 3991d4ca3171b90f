import { execFile, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chmod, chown, mkdir, open, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import path from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { promisify } from 'node:util';
import pg from 'pg';
import { KappaError } from '../../kernel/errors.js';
import { sqlState } from '../database-errors.js';
import { ClientRegister, isAlive } from './client-register.js';
import { packagedFolder, readyBinaries, type Binaries } from './platform-binaries.js';
import { readableByOthers, serverHome, type ServerHome } from './server-home.js';
import { startWatchdog } from './watchdog.js';

export interface EmbeddedPostgresOptions {
  /** The folder that stands for this server, e.g. `./.kappa`. */
  readonly dataDir: string;
  /** Default: the port it had before, else a free one. */
  readonly port?: number;
  /** One line for people when a server was started here: where it is. */
  readonly onStart?: (line: string) => void;
  /** Settings of postgresql.conf beyond our own. */
  readonly serverSettings?: Readonly<Record<string, string>>;
  /** Removes all data when the last client has left: for tests. Default false. */
  readonly removeWhenUnused?: boolean;
}

export interface EmbeddedPostgres {
  readonly url: string;
  readonly dataDir: string;
  /** False when another process had started it. */
  readonly startedHere: boolean;
  /** Leaves it; the last client of all processes stops the server. May be called twice. */
  stop(): Promise<void>;
}

const DATABASE = 'kappa';
const USER = 'kappa';
const START_WITHIN_MS = 60_000;

/** Fit for a laptop; durable: fsync and synchronous_commit stay on. */
const SETTINGS: Readonly<Record<string, string>> = {
  listen_addresses: '127.0.0.1',
  unix_socket_directories: '',
  max_connections: '100',
  shared_buffers: '128MB',
  max_wal_size: '1GB',
  jit: 'off',
  TimeZone: 'UTC',
  log_timezone: 'UTC',
  logging_collector: 'off',
};

/**
 * The PostgreSQL of a folder, started if no process has done so yet. Several processes share it; it is stopped by the last one
 * out, or by a watchdog when that one was killed.
 * @throws KAPPA_NO_EMBEDDED_POSTGRES, KAPPA_DATA_DIR, KAPPA_DATA_VERSION, KAPPA_EMBEDDED_START with the end of the server's log
 */
export async function startEmbeddedPostgres(options: EmbeddedPostgresOptions): Promise<EmbeddedPostgres> {
  const home = await serverHome(options.dataDir);
  const register = new ClientRegister(home.folder);
  const { client, url, startedHere } = await register.locked(async () => {
    const entered = await register.enter();
    try {
      const running = await runningPort(home);
      const port = running ?? (await start(home, options));
      return { client: entered, url: await serverUrl(home, port), startedHere: running === null };
    } catch (error) {
      await register.leave(entered);
      throw error;
    }
  });
  let stopped: Promise<void> | null = null;
  return {
    url,
    dataDir: home.dataDir,
    startedHere,
    stop: () =>
      (stopped ??= register.locked(async () =>
        (await register.leave(client)) === 0 ? shutDown(home, options.removeWhenUnused ?? false) : undefined,
      )),
  };
}

/** The URL of a server that already runs for this folder, or null. Starts none. */
export async function findEmbeddedPostgres(dataDir: string): Promise<string | null> {
  const known = await stat(dataDir).then(
    (found) => found.isDirectory(),
    () => false,
  );
  if (!known) return null;
  const home = await serverHome(dataDir);
  const port = await runningPort(home);
  return port === null ? null : serverUrl(home, port);
}

async function start(home: ServerHome, options: EmbeddedPostgresOptions): Promise<number> {
  const packaged = await packagedFolder();
  const binaries = await readyBinaries(packaged, {
    cache: home.cache,
    mustCopy: home.user !== null && !(await readableByOthers(packaged)),
  });
  await initialise(home, binaries);
  if (options.removeWhenUnused) await writeFile(path.join(home.folder, 'remove-when-unused'), '');
  const port = options.port ?? (await freePort(await portBefore(home)));
  const log = path.join(home.folder, 'server.log');
  const output = await open(log, 'a');
  const settings = Object.entries({ ...SETTINGS, ...options.serverSettings }).flatMap(([name, value]) => [
    '-c',
    `${name}=${value}`,
  ]);
  // Detached: Ctrl-C in a terminal must not stop the server under the other processes.
  const child = spawn(binaries.postgres, ['-D', dataOf(home), '-p', String(port), ...settings], {
    ...identity(home),
    cwd: home.folder,
    detached: true,
    stdio: ['ignore', output.fd, output.fd],
  });
  let failed: Error | null = null;
  child.once('error', (error) => (failed = error));
  child.once('exit', (code) => (failed ??= new Error(`it ended with code ${code}`)));
  child.unref();
  try {
    await untilReady(home, port, () => failed);
  } catch (error) {
    child.kill('SIGINT');
    throw new KappaError(
      'KAPPA_EMBEDDED_START',
      `the embedded PostgreSQL in ${home.folder} did not start: ${error instanceof Error ? error.message : String(error)}`,
      {
        facts: { folder: home.folder, port, log: await lastLines(log) },
        nextStep: `Its log ends with: ${await lastLines(log)}`,
        cause: error,
      },
    );
  } finally {
    await output.close();
  }
  await writeFile(path.join(home.folder, 'port'), String(port));
  if (child.pid !== undefined) startWatchdog(home.folder, child.pid);
  const elsewhere =
    home.folder === home.dataDir
      ? ''
      : ` (data in ${home.folder}, programs in ${binaries.folder}, as user ${home.user?.name ?? ''})`;
  options.onStart?.(`PostgreSQL ${binaries.major} for ${home.dataDir} on port ${port}${elsewhere}`);
  return port;
}

/** Makes the cluster in a folder beside and moves it into place, so that a kill in between leaves nothing half. */
async function initialise(home: ServerHome, binaries: Binaries): Promise<void> {
  const version = await versionOf(dataOf(home));
  if (version === binaries.major) return;
  if (version !== null) {
    throw new KappaError(
      'KAPPA_DATA_VERSION',
      `${dataOf(home)} is of PostgreSQL ${version}, this package brings ${binaries.major}`,
      {
        nextStep: `Move the data with pg_dump of PostgreSQL ${version}, or give another folder.`,
      },
    );
  }
  const half = path.join(home.folder, 'data.half');
  const passwordFile = path.join(home.folder, 'password');
  await rm(half, { recursive: true, force: true });
  await mkdir(half, { mode: 0o700 });
  await writeFile(passwordFile, randomBytes(18).toString('base64url'), { mode: 0o600 });
  await chmod(passwordFile, 0o600);
  if (home.user) {
    await chown(half, home.user.uid, home.user.gid);
    await chown(passwordFile, home.user.uid, home.user.gid);
  }
  const locale = ['--encoding=UTF8', '--locale-provider=builtin', '--locale=C.UTF-8'];
  await promisify(execFile)(
    binaries.initdb,
    ['-D', half, '-U', USER, `--pwfile=${passwordFile}`, '--auth=scram-sha-256', ...locale],
    { ...identity(home), cwd: home.folder },
  ).catch((error: unknown) => {
    throw new KappaError('KAPPA_EMBEDDED_START', `initdb failed: ${error instanceof Error ? error.message : String(error)}`, {
      nextStep: 'Check space and rights of the folder.',
      cause: error,
    });
  });
  await rename(half, dataOf(home));
}

/**
 * The major version of the data in `folder`, or null when there is nothing at all. These are somebody's events: whatever cannot
 * be read for sure as ours is refused, and never cleared away to begin anew.
 */
async function versionOf(folder: string): Promise<string | null> {
  const names = await readdir(folder).catch((error: unknown): string[] => {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return [];
    throw error;
  });
  if (names.length === 0) return null;
  if (names.includes('PG_VERSION')) return (await readFile(path.join(folder, 'PG_VERSION'), 'utf8')).trim();
  throw new KappaError('KAPPA_DATA_DIR', `${folder} is not empty and holds no PostgreSQL data`, {
    facts: { folder, holds: names.slice(0, 5) },
    nextStep: 'Give another folder with database.dataDir or KAPPA_DATA_DIR, or restore this one from a backup.',
  });
}

async function untilReady(home: ServerHome, port: number, failure: () => Error | null): Promise<void> {
  const end = Date.now() + START_WITHIN_MS;
  for (;;) {
    const failed = failure();
    if (failed) throw failed;
    const client = new pg.Client({ connectionString: await serverUrl(home, port, 'postgres'), connectionTimeoutMillis: 2_000 });
    try {
      await client.connect();
      const { rowCount } = await client.query('select 1 from pg_database where datname = $1', [DATABASE]);
      if (rowCount === 0) await client.query(`create database ${DATABASE}`);
      return;
    } catch (error) {
      const passing =
        error instanceof Error && 'code' in error && (error.code === 'ECONNREFUSED' || sqlState(error) === '57P03');
      if (!passing || Date.now() > end) throw error;
      await wait(20);
    } finally {
      await client.end().catch(() => undefined);
    }
  }
}

async function shutDown(home: ServerHome, remove: boolean): Promise<void> {
  const postmaster = await readPostmaster(home);
  if (postmaster && isAlive(postmaster.pid)) {
    process.kill(postmaster.pid, 'SIGINT');
    while (isAlive(postmaster.pid)) await wait(20);
  }
  if (remove) {
    await rm(home.folder, { recursive: true, force: true });
    await rm(home.dataDir, { recursive: true, force: true });
  }
}

/** The port of the server that runs on this data, once it takes connections; null when none does. */
async function runningPort(home: ServerHome): Promise<number | null> {
  const postmaster = await readPostmaster(home);
  if (!postmaster || !isAlive(postmaster.pid)) return null;
  try {
    await untilReady(home, postmaster.port, () => (isAlive(postmaster.pid) ? null : new Error('it is shutting down')));
    return postmaster.port;
  } catch (error) {
    // It was on its way down (or the pid is a stranger's by now): wait for the end, then start anew.
    if (!isAlive(postmaster.pid)) return null;
    throw error;
  }
}

async function readPostmaster(home: ServerHome): Promise<{ readonly pid: number; readonly port: number } | null> {
  const lines = await readFile(path.join(dataOf(home), 'postmaster.pid'), 'utf8').then(
    (text) => text.split('\n'),
    () => null,
  );
  if (!lines) return null;
  const [pid, , , port] = lines.map(Number);
  return pid && port ? { pid, port } : null;
}

async function serverUrl(home: ServerHome, port: number, database = DATABASE): Promise<string> {
  const password = (await readFile(path.join(home.folder, 'password'), 'utf8')).trim();
  return `postgres://${USER}:${password}@127.0.0.1:${port}/${database}`;
}

async function portBefore(home: ServerHome): Promise<number> {
  return readFile(path.join(home.folder, 'port'), 'utf8').then(
    (text) => Number(text) || 0,
    () => 0,
  );
}

/** The wanted port when it is free, else any free one. */
async function freePort(wanted: number): Promise<number> {
  const probe = (port: number): Promise<number | null> =>
    new Promise((resolve) => {
      const server = createServer();
      server.once('error', () => resolve(null));
      server.listen(port, '127.0.0.1', () => {
        const address = server.address();
        server.close(() => resolve(typeof address === 'object' && address ? address.port : null));
      });
    });
  return (await probe(wanted)) ?? (await probe(0)) ?? 0;
}

function identity(home: ServerHome): { readonly uid?: number; readonly gid?: number } {
  return home.user ? { uid: home.user.uid, gid: home.user.gid } : {};
}

function dataOf(home: ServerHome): string {
  return path.join(home.folder, 'data');
}

async function lastLines(file: string): Promise<string> {
  const text = await readFile(file, 'utf8').catch(() => '');
  return text.trimEnd().split('\n').slice(-5).join(' | ');
}
