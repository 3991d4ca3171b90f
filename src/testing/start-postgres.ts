import { startEmbeddedPostgres, type EmbeddedPostgres } from '../database/embedded/embedded-postgres.js';
import { dataOf } from '../database/embedded/cluster.js';
import { killPostmaster } from '../database/embedded/postmaster.js';
import { findServerHome } from '../database/embedded/server-home.js';

export interface StartPostgresOptions {
  /** The server's own folder; it is gone after `stop`. */
  readonly folder: string;
  /** Settings of postgresql.conf beyond our own, e.g. `{ max_connections: '300' }`. */
  readonly settings?: Readonly<Record<string, string>>;
}

/** A PostgreSQL of one's own, to break: what tests of outages need and {@link testServer} cannot give, as others use that too. */
export interface BreakablePostgres {
  /** The same before and after a restart. */
  readonly url: string;
  /**
   * Ends it as `pg_ctl stop -m immediate` does: no transaction finishes, no connection is told, the next start recovers. Waits
   * until it is gone.
   */
  kill(): Promise<void>;
  /** Starts it again after {@link kill}, on the same port with the same data, and waits until it takes connections. */
  restart(): Promise<void>;
  /** Stops it and throws its data away. May be called twice. */
  stop(): Promise<void>;
}

/** What was committed survives a kill of the server, as it does in production; only a power cut would lose it. */
const SETTINGS = { fsync: 'off', full_page_writes: 'off', synchronous_commit: 'on', max_connections: '300' };

/**
 * Starts an embedded PostgreSQL that nobody else uses. It is gone with the process, also when that is killed.
 *
 * ```ts
 * const postgres = await startPostgres({ folder: './broken' });
 * await postgres.kill();
 * await postgres.restart();
 * await postgres.stop();
 * ```
 */
export async function startPostgres({ folder, settings }: StartPostgresOptions): Promise<BreakablePostgres> {
  const start = (port?: number): Promise<EmbeddedPostgres> =>
    startEmbeddedPostgres({
      dataDir: folder,
      serverSettings: { ...SETTINGS, ...settings },
      removeWhenUnused: true,
      ...(port === undefined ? {} : { port }),
    });
  let server = await start();
  const { url } = server;
  let stopped: Promise<void> | null = null;
  const kill = async (): Promise<void> => {
    const home = await findServerHome(folder);
    if (home) await killPostmaster(dataOf(home));
  };
  return {
    url,
    kill,
    restart: async () => {
      const before = server;
      server = await start(Number(new URL(url).port));
      await before.stop();
    },
    // Its data goes with it: there is nothing to finish.
    stop: () => (stopped ??= kill().then(() => server.stop())),
  };
}
