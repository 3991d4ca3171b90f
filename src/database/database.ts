import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { KappaError, UnknownOutcomeError } from '../kernel/errors.js';
import { checkServer } from './check-server.js';
import { isConnectionError, isStatementOfNoUse } from './database-errors.js';
import { quoteIdentifier } from './identifiers.js';
import type { Queryable, Statement } from './queryable.js';
import { SESSION_SETTINGS } from './session-settings.js';
import { systemTypes } from './system-types.js';
import { TextQuery, type TextRow, type TextStatement } from './text-query.js';

export type { Queryable, Statement } from './queryable.js';

export interface DatabaseOptions {
  readonly url: string;
  /** Where our own tables stand. Default `kappa`. */
  readonly schema?: string;
  /** Where the public views of projections stand. Default `public`. */
  readonly viewSchema?: string;
  /** Connections at most. Default 10. */
  readonly poolSize?: number;
  /** Shown in `pg_stat_activity`. Default `nest-kappa`. */
  readonly applicationName?: string;
}

/** A connection of the pool, held until `release`. `raw` is for COPY streams and row codecs. */
export interface Connection extends Queryable {
  readonly raw: pg.PoolClient;
  /** Runs a statement whose rows are wanted as PostgreSQL's text, which is less work on both sides. */
  texts(statement: TextStatement): Promise<readonly TextRow[]>;
  /** `true` closes the connection instead of giving it back. */
  release(destroy?: boolean): void;
}

/**
 * Statements under names on one connection; with more it is closed when it is given back. Names of tables that are gone, and of sizes
 * that were outgrown, would stay for good: a plan takes some 50 KB of the server.
 */
const MOST_NAMES = 512;

/** How long a stop waits for the other side to close its end of connections, too. */
const CLOSE_MS = 1_000;

/** PostgreSQL as all parts use it: one pool, session settings that keep a stopped process harmless, our schema in front. */
export class Database {
  readonly schema: string;
  readonly viewSchema: string;
  readonly url: string;
  readonly #pool: pg.Pool;
  /** Each settles when the socket of a connection is closed. */
  readonly #sockets = new Set<Promise<void>>();
  #ended: Promise<void> | null = null;

  constructor(options: DatabaseOptions) {
    this.url = options.url;
    this.schema = options.schema ?? 'kappa';
    this.viewSchema = options.viewSchema ?? 'public';
    this.#pool = new pg.Pool({
      ...this.clientConfig(options.applicationName),
      max: options.poolSize ?? 10,
      idleTimeoutMillis: 30_000,
    });
    // An idle connection that dies is replaced at the next use; without a listener it would end the process.
    this.#pool.on('error', () => undefined);
    this.#pool.on('connect', (client) => {
      const closed = new Promise<void>((resolve) => client.once('end', resolve)).then(() => void this.#sockets.delete(closed));
      this.#sockets.add(closed);
    });
  }

  /** What a connection of ours is opened with; also for the few dedicated connections (session locks, COPY). */
  clientConfig(applicationName = 'nest-kappa'): pg.ClientConfig {
    const settings = { ...SESSION_SETTINGS, search_path: `${quoteIdentifier(this.schema)},pg_catalog` };
    return {
      connectionString: this.url,
      application_name: applicationName,
      connectionTimeoutMillis: 5_000,
      keepAlive: true,
      keepAliveInitialDelayMillis: 5_000,
      types: systemTypes,
      options: Object.entries(settings)
        .map(([name, value]) => `-c ${name}=${value.replaceAll('\\', '\\\\').replaceAll(' ', '\\ ')}`)
        .join(' '),
    };
  }

  /**
   * Connects once and checks the server.
   * @throws KAPPA_DATABASE_UNREACHABLE, KAPPA_DATABASE_TOO_OLD, KAPPA_POOLER_DROPS_SETTINGS
   */
  async start(): Promise<void> {
    await checkServer(this);
  }

  async query<Row extends object = Record<string, unknown>>(
    statement: string | Statement,
    values?: readonly unknown[],
  ): Promise<{ rows: Row[]; rowCount: number }> {
    if (typeof statement === 'string' || statement.name === undefined) return run<Row>(this.#pool, statement, values);
    return this.#onOne((connection) => connection.query<Row>(statement, values));
  }

  /** As {@link Connection.texts}, on any connection. */
  texts(statement: TextStatement): Promise<readonly TextRow[]> {
    return this.#onOne((connection) => connection.texts(statement));
  }

  /** A connection that has met an error is not given back: what it has prepared may be of no use. */
  async #onOne<T>(work: (connection: Connection) => Promise<T>): Promise<T> {
    const connection = await this.connect();
    try {
      const result = await work(connection);
      connection.release();
      return result;
    } catch (error) {
      connection.release(true);
      throw error;
    }
  }

  /** How many the pool has open or is opening, with the one that it opens where the next statement finds none that is free. */
  get connections(): number {
    const { totalCount, idleCount, options } = this.#pool;
    return idleCount > 0 ? totalCount : Math.min(totalCount + 1, options.max);
  }

  /** A connection of one's own until `release`. */
  async connect(): Promise<Connection> {
    const client = await this.#pool.connect();
    // The statement under way is rejected when the connection dies; the event beside it would end the process.
    client.on('error', ignore);
    return {
      raw: client,
      query: (statement, values) => run(client, statement, values),
      texts: (statement) => TextQuery.run(client, statement),
      release: (destroy = false) => {
        client.off('error', ignore);
        client.release(destroy || keepsTooMany(client));
      },
    };
  }

  /**
   * Runs `work` in one READ COMMITTED transaction; any error rolls back.
   * @throws UnknownOutcomeError when the connection is lost at COMMIT; whatever `work` throws otherwise.
   */
  async transaction<T>(work: (connection: Connection) => Promise<T>): Promise<T> {
    const connection = await this.connect();
    let result: T;
    try {
      await connection.query('begin');
      result = await work(connection);
    } catch (error) {
      await rollBack(connection, isStatementOfNoUse(error));
      throw error;
    }
    try {
      await connection.query('commit');
    } catch (error) {
      connection.release(true);
      if (isConnectionError(error)) throw new UnknownOutcomeError('the connection was lost at COMMIT', { cause: error });
      throw error;
    }
    connection.release();
    return result;
  }

  /** Closes all connections, when those in use have been given back. May be called twice. */
  async stop(): Promise<void> {
    this.#ended ??= this.#end();
    await this.#ended;
  }

  /** The pool says that it has ended while its sockets still close. */
  async #end(): Promise<void> {
    await this.#pool.end();
    const given = new AbortController();
    const late = sleep(CLOSE_MS, undefined, { signal: given.signal }).catch(() => undefined);
    await Promise.race([Promise.all(this.#sockets), late]);
    given.abort();
  }
}

/** What `pg` remembers of a connection, and its types do not tell. */
interface Prepared {
  readonly connection?: { readonly parsedStatements?: object };
}

function keepsTooMany(client: pg.PoolClient): boolean {
  const { connection } = client as unknown as Prepared;
  return Object.keys(connection?.parsedStatements ?? {}).length > MOST_NAMES;
}

function ignore(): void {
  // Told by the statement itself.
}

async function rollBack(connection: Connection, destroy: boolean): Promise<void> {
  try {
    await connection.query('rollback');
    connection.release(destroy);
  } catch {
    connection.release(true);
  }
}

async function run<Row extends object>(
  target: pg.Pool | pg.PoolClient,
  statement: string | Statement,
  values?: readonly unknown[],
): Promise<{ rows: Row[]; rowCount: number }> {
  const {
    text,
    name,
    values: own,
  } = typeof statement === 'string' ? { text: statement, name: undefined, values: undefined } : statement;
  const parameters = values ?? own;
  const result = await target.query<Row>({
    text,
    ...(name === undefined ? {} : { name }),
    ...(parameters === undefined ? {} : { values: [...parameters] }),
  });
  return { rows: result.rows, rowCount: result.rowCount ?? 0 };
}

/** The error of an operation that needs a started database. */
export function databaseGone(error: unknown): KappaError {
  return new KappaError('KAPPA_DATABASE_UNREACHABLE', 'the database does not answer', {
    nextStep: 'Work goes on by itself when it is back; check the server and database.url.',
    cause: error,
  });
}
