import { KappaError } from '../kernel/errors.js';
import { isConnectionError, sqlState } from './database-errors.js';
import type { Connection, Database } from './database.js';
import { qualified, quoteIdentifier, quoteLiteral } from './identifiers.js';
import type { Migration, MigrationStatus } from './migration.js';

/** Long enough for another process to apply every step; the session's own bound is meant for appends. */
const LOCK_TIMEOUT_MS = 60_000;

const SCHEMA_EXISTS = 'select 1 from pg_namespace where nspname = $1';
const TABLE_EXISTS = 'select 1 where to_regclass($1) is not null';
const TAKE_LOCK = 'select pg_advisory_xact_lock(hashtextextended($1, 0))';

/**
 * Brings our schema to what this code needs, step by step. Several processes may start at once: each step is applied once,
 * under one lock, in a transaction of its own.
 */
export class Migrator {
  constructor(
    private readonly database: Database,
    private readonly migrations: readonly Migration[],
  ) {}

  /**
   * Applies the missing steps and returns their ids, in order. The schema is created only where it does not stand yet, so that
   * a role with CREATE in that one schema suffices.
   * @throws KAPPA_SCHEMA_NEWER when another version of this package has applied steps that this one does not know;
   *         KAPPA_MIGRATION_FAILED naming the step and why; what a lost connection throws, after which it may be called again.
   */
  async migrate(): Promise<readonly string[]> {
    const applied: string[] = [];
    for (const migration of this.#missing(await this.#applied(this.database))) {
      if (await this.#apply(migration)) applied.push(migration.id);
    }
    return applied;
  }

  /** Every step of this code, in order, and when it was applied. */
  async status(): Promise<readonly MigrationStatus[]> {
    const applied = await this.#applied(this.database);
    return this.migrations.map(({ id }) => ({ id, appliedAt: applied.get(id) ?? null }));
  }

  /** @throws KAPPA_SCHEMA_BEHIND naming the missing steps; KAPPA_SCHEMA_NEWER. */
  async check(): Promise<void> {
    const missing = this.#missing(await this.#applied(this.database)).map(({ id }) => id);
    if (missing.length === 0) return;
    throw new KappaError('KAPPA_SCHEMA_BEHIND', `schema ${this.database.schema} lacks ${missing.join(', ')}`, {
      facts: { schema: this.database.schema, missing },
      nextStep:
        'Run `npx nest-kappa database migrate`, or give the output of `npx nest-kappa database sql` to whoever administers the database.',
    });
  }

  /** The whole DDL as one script for `psql`. It may be run again: what stands already is left alone. */
  sql(): string {
    const { schema } = this.database;
    return [
      `-- The schema of nest-kappa in ${quoteIdentifier(schema)}. Running it again applies only what is missing.`,
      'begin;',
      `select pg_advisory_xact_lock(hashtextextended(${quoteLiteral(lockName(schema))}, 0));`,
      guarded(`select 1 from pg_namespace where nspname = ${quoteLiteral(schema)}`, createSchema(schema)),
      `${createBookkeeping(schema)};`,
      ...this.migrations.map((migration) =>
        guarded(
          `select 1 from ${bookkeeping(schema)} where id = ${quoteLiteral(migration.id)}`,
          `${this.#ddl(migration)};\ninsert into ${bookkeeping(schema)} (id) values (${quoteLiteral(migration.id)})`,
        ),
      ),
      'commit;',
      '',
    ].join('\n');
  }

  async #apply(migration: Migration): Promise<boolean> {
    try {
      return await this.database.transaction(async (connection) => {
        await connection.query(`set local lock_timeout = ${LOCK_TIMEOUT_MS}`);
        await connection.query(TAKE_LOCK, [lockName(this.database.schema)]);
        await this.#prepare(connection);
        if ((await this.#applied(connection)).has(migration.id)) return false;
        await connection.query(this.#ddl(migration));
        await connection.query(`insert into ${bookkeeping(this.database.schema)} (id) values ($1)`, [migration.id]);
        return true;
      });
    } catch (error) {
      throw migrationError(migration, this.database.schema, error);
    }
  }

  async #prepare(connection: Connection): Promise<void> {
    const { schema } = this.database;
    const { rowCount } = await connection.query(SCHEMA_EXISTS, [schema]);
    if (rowCount === 0) await connection.query(createSchema(schema));
    await connection.query(createBookkeeping(schema));
  }

  async #applied(connection: Pick<Database, 'query'>): Promise<ReadonlyMap<string, string>> {
    const table = bookkeeping(this.database.schema);
    const { rowCount } = await connection.query(TABLE_EXISTS, [table]);
    if (rowCount === 0) return new Map();
    const { rows } = await connection.query<{ id: string; applied_at: string }>(
      `select id, to_char(applied_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as applied_at from ${table} order by applied_at, id`,
    );
    this.#refuseUnknown(rows.map(({ id }) => id));
    return new Map(rows.map(({ id, applied_at }) => [id, applied_at]));
  }

  #refuseUnknown(applied: readonly string[]): void {
    const known = new Set(this.migrations.map(({ id }) => id));
    const unknown = applied.filter((id) => !known.has(id));
    if (unknown.length === 0) return;
    throw new KappaError(
      'KAPPA_SCHEMA_NEWER',
      `schema ${this.database.schema} has ${unknown.join(', ')}, which this code does not know`,
      {
        facts: { schema: this.database.schema, unknown },
        nextStep: 'Deploy the version of nest-kappa that applied it, or use another database.schema.',
      },
    );
  }

  #missing(applied: ReadonlyMap<string, string>): readonly Migration[] {
    return this.migrations.filter(({ id }) => !applied.has(id));
  }

  #ddl(migration: Migration): string {
    const { schema, viewSchema } = this.database;
    return migration
      .up({ schema: quoteIdentifier(schema), viewSchema: quoteIdentifier(viewSchema) })
      .trim()
      .replace(/;$/, '');
  }
}

function lockName(schema: string): string {
  return `kappa/migrations/${schema}`;
}

function bookkeeping(schema: string): string {
  return qualified(schema, 'migrations');
}

/** Not `if not exists`: PostgreSQL asks for CREATE on the database before it looks whether the schema stands. */
function createSchema(schema: string): string {
  return `create schema ${quoteIdentifier(schema)}`;
}

function createBookkeeping(schema: string): string {
  return `create table if not exists ${bookkeeping(schema)} (id text primary key, applied_at timestamptz not null default now())`;
}

/** A DO block that executes `statements` unless `probe` finds a row. */
function guarded(probe: string, statements: string): string {
  return [
    'do $kappa_guard$ begin',
    `if not exists (${probe}) then`,
    `execute $kappa_step$\n${statements}\n$kappa_step$;`,
    'end if;',
    'end $kappa_guard$;',
  ].join('\n');
}

function migrationError(migration: Migration, schema: string, error: unknown): unknown {
  const state = sqlState(error);
  if (state === null || error instanceof KappaError || isConnectionError(error)) return error;
  const reason = error instanceof Error ? error.message : String(error);
  return new KappaError('KAPPA_MIGRATION_FAILED', `step ${migration.id} of schema ${schema} was not applied: ${reason}`, {
    facts: { step: migration.id, schema, sqlState: state },
    nextStep:
      state === '42501'
        ? `Grant the role CREATE on schema ${schema}, or give the output of \`npx nest-kappa database sql\` to whoever administers the database.`
        : 'Correct the cause and run `npx nest-kappa database migrate` again.',
    cause: error,
  });
}
