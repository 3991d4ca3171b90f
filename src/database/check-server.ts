import { KappaError } from '../kernel/errors.js';
import { sqlState } from './database-errors.js';
import type { Queryable } from './queryable.js';
import { SESSION_SETTINGS } from './session-settings.js';

const OLDEST = 140_000;

const READ_SETTINGS = `
  select current_setting('server_version_num')::int as version,
         current_setting('idle_in_transaction_session_timeout') as idle,
         current_setting('lock_timeout') as lock,
         current_setting('transaction_isolation') as isolation`;

/**
 * Refuses a server or pooler that would void our guarantees: one that is too old, or one that drops the settings which keep a
 * stopped process from holding a partition (PgBouncer in transaction mode drops or refuses them).
 */
export async function checkServer(database: Queryable & { readonly url: string }): Promise<void> {
  const where = whereOf(database.url);
  const row = await database
    .query<{ version: number; idle: string; lock: string; isolation: string }>(READ_SETTINGS)
    .then(({ rows }) => rows[0])
    .catch((error: unknown) => {
      throw startError(error, where);
    });
  if (!row || row.version < OLDEST) {
    throw new KappaError('KAPPA_DATABASE_TOO_OLD', `${where} is PostgreSQL ${Math.floor((row?.version ?? 0) / 10_000)}`, {
      nextStep: 'Use PostgreSQL 14 or newer.',
    });
  }
  if (
    row.idle !== `${Number(SESSION_SETTINGS.idle_in_transaction_session_timeout) / 1000}s` ||
    row.isolation !== 'read committed'
  ) {
    throw poolerError(where);
  }
}

function startError(error: unknown, where: string): KappaError {
  const message = error instanceof Error ? error.message : String(error);
  if (/unsupported startup parameter/i.test(message)) return poolerError(where, error);
  const state = sqlState(error);
  if (state === '28P01' || state === '28000') {
    return new KappaError('KAPPA_DATABASE_LOGIN', `${where} refuses the login: ${message}`, {
      nextStep: 'Check user and password of database.url.',
      cause: error,
    });
  }
  if (state === '3D000') {
    return new KappaError('KAPPA_DATABASE_MISSING', `${where}: ${message}`, {
      nextStep: 'Create the database or correct database.url.',
      cause: error,
    });
  }
  return new KappaError('KAPPA_DATABASE_UNREACHABLE', `${where} cannot be reached: ${message || String(state)}`, {
    facts: { where },
    nextStep: 'Start it or correct database.url.',
    cause: error,
  });
}

function poolerError(where: string, cause?: unknown): KappaError {
  return new KappaError(
    'KAPPA_POOLER_DROPS_SETTINGS',
    `${where} does not keep our session settings: a pooler in transaction mode stands between`,
    {
      facts: { where, settings: Object.keys(SESSION_SETTINGS) },
      nextStep: 'Point database.url at PostgreSQL itself or at a pool in session mode.',
      cause,
    },
  );
}

/** Host, port and database of a URL, never its user or password. */
export function whereOf(url: string): string {
  try {
    const { hostname, port, pathname } = new URL(url);
    return `${hostname || 'localhost'}:${port || '5432'}${pathname}`;
  } catch {
    return 'the database';
  }
}
