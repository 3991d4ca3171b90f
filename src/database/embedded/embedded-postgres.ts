import { existsSync } from 'node:fs';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import path from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { KappaError } from '../../kernel/errors.js';
import { ClientRegister } from './client-register.js';
import { clusterUrl, dataOf, ensureCluster } from './cluster.js';
import { packagedFolder, readyBinaries, type Binaries } from './platform-binaries.js';
import {
  launchPostmaster,
  postmasterOf,
  ServerStartError,
  settledPostmaster,
  stopPostmaster,
  type Postmaster,
} from './postmaster.js';
import { cacheFolder, findServerHome, serverHome, type ServerHome } from './server-home.js';
import { saysPortTaken, saysPredecessorLingers } from './server-log.js';
import { canRun } from './server-user.js';
import { ensureWatchdog, hasWatchdog, type Watch } from './watchdog.js';

export interface EmbeddedPostgresOptions {
  /** The folder that stands for this server, e.g. `./.kappa`. */
  readonly dataDir: string;
  /** Default: the port it had before, else a free one. A server that already runs keeps the port it has. */
  readonly port?: number;
  /** One line for people when a server was started here: where its data and programs are, as which user it runs, its port. */
  readonly onStart?: (line: string) => void;
  /** Settings of postgresql.conf beyond our own. They hold for the server that is started here. */
  readonly serverSettings?: Readonly<Record<string, string>>;
  /** Throws everything away a few seconds after the last client has left, so that one may come after the other: for tests. Default false. */
  readonly removeWhenUnused?: boolean;
  /** Folder `native` of PostgreSQL's programs. Default: that of the npm package for this platform. */
  readonly packagedFolder?: string;
}

export interface EmbeddedPostgres {
  readonly url: string;
  readonly dataDir: string;
  /** False when another process had started it. */
  readonly startedHere: boolean;
  /** Leaves it; the last client of all processes stops the server and waits for its end. May be called twice. */
  stop(): Promise<void>;
}

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
  // Roles that people make get the usual strength, whatever our own needs.
  scram_iterations: '4096',
};

/** How long a server that is thrown away afterwards waits for the next client. */
const LINGER_SECONDS = 3;

/** A killed predecessor's children notice its end within moments; PostgreSQL refuses to start until they are gone. */
const PREDECESSOR_GONE_WITHIN_MS = 20_000;

/**
 * The PostgreSQL of a folder, started if no process has done so yet. Several processes share it; it is stopped by the last one
 * out, or by a watchdog when that one was killed.
 * @throws KAPPA_NO_EMBEDDED_POSTGRES, KAPPA_NO_SERVER_USER, KAPPA_DATA_DIR, KAPPA_DATA_VERSION, KAPPA_EMBEDDED_LOCKED,
 *   KAPPA_EMBEDDED_START with the end of the server's log
 */
export async function startEmbeddedPostgres(options: EmbeddedPostgresOptions): Promise<EmbeddedPostgres> {
  for (;;) {
    const home = await serverHome(options.dataDir);
    try {
      return await enter(home, options);
    } catch (error) {
      // It was thrown away between the look and the lock.
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT' || existsSync(home.folder)) throw asKappaError(error, home);
    }
  }
}

/** The URL of a server that already runs for this folder, or null. Starts none, makes nothing. @throws KAPPA_DATA_DIR */
export async function findEmbeddedPostgres(dataDir: string): Promise<string | null> {
  const home = await findServerHome(dataDir);
  if (home === null) return null;
  const server = await postmasterOf(dataOf(home));
  return server?.ready ? clusterUrl(home, server.port) : null;
}

async function enter(home: ServerHome, options: EmbeddedPostgresOptions): Promise<EmbeddedPostgres> {
  const register = new ClientRegister(home.folder);
  return register.locked(async () => {
    const client = await register.enter();
    try {
      const running = await settledPostmaster(dataOf(home));
      const server = running ?? (await start(home, options));
      if (running) await ensureWatchdog(watchOf(home, options, running.pid));
      const url = await clusterUrl(home, server.port);
      let stopped: Promise<void> | null = null;
      return {
        url,
        dataDir: home.dataDir,
        startedHere: running === null,
        stop: () => (stopped ??= leave(home, register, client, options)),
      };
    } catch (error) {
      await register.leave(client);
      throw error;
    }
  });
}

async function leave(
  home: ServerHome,
  register: ClientRegister,
  client: string,
  options: EmbeddedPostgresOptions,
): Promise<void> {
  try {
    await register.locked(async () => {
      const server = await postmasterOf(dataOf(home));
      const lingers = options.removeWhenUnused && server && (await hasWatchdog({ folder: home.folder, server: server.pid }));
      if ((await register.leave(client)) > 0 || lingers) return;
      await stopPostmaster(dataOf(home), async () => (await binariesOf(home, options)).pgCtl);
      if (options.removeWhenUnused) for (const folder of foldersOf(home)) await rm(folder, { recursive: true, force: true });
    });
  } catch (error) {
    // Somebody has removed the folder under the server, which ends by itself then.
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  } finally {
    await rm(client, { force: true });
  }
}

async function start(home: ServerHome, options: EmbeddedPostgresOptions): Promise<Postmaster> {
  const settings = { ...SETTINGS, ...options.serverSettings };
  const binaries = await binariesOf(home, options);
  await ensureCluster(home, binaries, settings['fsync'] !== 'off');
  const portFile = path.join(home.folder, 'port');
  const portBefore = await readFile(portFile, 'utf8').then(Number, () => 0);
  let port = options.port ?? (await freePort(portBefore));
  const giveUpAt = performance.now() + PREDECESSOR_GONE_WITHIN_MS;
  for (;;) {
    try {
      const server = await launchPostmaster({
        data: dataOf(home),
        binaries,
        user: home.user,
        port,
        settings,
        log: path.join(home.folder, 'server.log'),
        onSpawn: (pid) => ensureWatchdog(watchOf(home, options, pid)),
      });
      await writeFile(portFile, String(port));
      options.onStart?.(startLine(home, binaries, port));
      return server;
    } catch (error) {
      if (!(error instanceof ServerStartError) || performance.now() > giveUpAt) throw error;
      if (saysPredecessorLingers(error.log)) await wait(100);
      else if (saysPortTaken(error.log) && options.port === undefined) port = await freePort(0);
      else throw error;
    }
  }
}

async function binariesOf(home: ServerHome, options: EmbeddedPostgresOptions): Promise<Binaries> {
  const packaged = options.packagedFolder ?? (await packagedFolder());
  const mustCopy = home.user !== null && !(await canRun(home.user, path.join(packaged, 'bin', 'postgres')));
  return readyBinaries(packaged, { cache: cacheFolder, mustCopy });
}

function watchOf(home: ServerHome, options: EmbeddedPostgresOptions, server: number): Watch {
  const remove = options.removeWhenUnused ? foldersOf(home) : [];
  return { folder: home.folder, server, lingerSeconds: remove.length > 0 ? LINGER_SECONDS : 0, remove };
}

/** All that belongs to a home. */
function foldersOf(home: ServerHome): string[] {
  return [...new Set([home.folder, home.dataDir])];
}

function startLine(home: ServerHome, binaries: Binaries, port: number): string {
  const user = home.user === null ? '' : `, as user ${home.user.name} because it refuses to run as root`;
  return `PostgreSQL ${binaries.major} for ${home.dataDir} on port ${port} (data in ${dataOf(home)}, programs in ${binaries.folder}${user})`;
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
  const free = (await probe(wanted)) ?? (await probe(0));
  if (free !== null) return free;
  throw new KappaError('KAPPA_EMBEDDED_START', 'there is no free port on 127.0.0.1 for the embedded PostgreSQL', {
    nextStep: 'End programs that hold ports, or name a server with database.url.',
  });
}

function asKappaError(error: unknown, home: ServerHome): unknown {
  if (error instanceof KappaError || !(error instanceof Error)) return error;
  const { code } = error as NodeJS.ErrnoException;
  if (code === undefined) return error;
  return new KappaError('KAPPA_DATA_DIR', `${home.folder} cannot be used: ${error.message}`, {
    facts: { folder: home.folder, code },
    nextStep:
      code === 'ENOSPC' || code === 'EDQUOT'
        ? 'Free space on the disk of that folder and start again.'
        : 'Give the folder to the user that runs the app, or give another one with database.dataDir or KAPPA_DATA_DIR.',
    cause: error,
  });
}
