import { Database } from '../../../src/database/database.js';
import { Migrator } from '../../../src/database/migrator.js';
import { logMigrations } from '../../../src/log/postgres/migrations.js';
import { PostgresLog, type PostgresLogOptions } from '../../../src/log/postgres/postgres-log.js';
import { createTestDatabase, type TestDatabase } from '../../../src/testing/test-server.js';
import { TcpProxy } from '../../../src/testing/tcp-proxy.js';

/** A client of the log, as a process of its own would have it. */
export interface LogClient {
  readonly log: PostgresLog;
  readonly database: Database;
  readonly proxy: TcpProxy;
}

/** A database of its own with the tables of the log, and any number of clients. */
export class LogDatabase {
  readonly #clients: LogClient[] = [];

  private constructor(
    readonly test: TestDatabase,
    private readonly schema: string,
  ) {}

  static async create(): Promise<LogDatabase> {
    return LogDatabase.#migrated(await createTestDatabase(), 'kappa');
  }

  static in(test: TestDatabase): Promise<LogDatabase> {
    return LogDatabase.#migrated(test, 'kappa');
  }

  /** Another log in another schema of the same database. */
  static beside(other: LogDatabase, schema: string): Promise<LogDatabase> {
    return LogDatabase.#migrated(other.test, schema);
  }

  static async #migrated(test: TestDatabase, schema: string): Promise<LogDatabase> {
    const database = new Database({ url: test.url, schema });
    await new Migrator(database, logMigrations).migrate();
    await database.stop();
    return new LogDatabase(test, schema);
  }

  async client(options: PostgresLogOptions = {}): Promise<LogClient> {
    const proxy = await TcpProxy.start(this.test.url);
    const database = new Database({ url: proxy.url, schema: this.schema });
    const log = new PostgresLog(database, { retentionIntervalMs: 0, ...options });
    const client = { log, database, proxy };
    this.#clients.push(client);
    await log.start();
    return client;
  }

  of(log: unknown): LogClient {
    const client = this.#clients.find((each) => each.log === log);
    if (!client) throw new Error('not a client of this database');
    return client;
  }

  async closeClients(): Promise<void> {
    const clients = this.#clients.splice(0);
    await Promise.all(clients.map(({ log }) => log.stop()));
    await Promise.all(clients.map(({ database }) => database.stop()));
    await Promise.all(clients.map(({ proxy }) => proxy.stop()));
  }

  async close(): Promise<void> {
    await this.closeClients();
    await this.test.drop();
  }
}
