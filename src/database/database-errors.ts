import { KappaError, RetriableError } from '../kernel/errors.js';

/** SQLSTATE of an error that PostgreSQL answered with, or null for any other error. */
export function sqlState(error: unknown): string | null {
  if (typeof error !== 'object' || error === null || !('code' in error)) return null;
  // EPIPE and EPERM have the form of a SQLSTATE, and are of a system call.
  if ('syscall' in error) return null;
  const { code } = error;
  return typeof code === 'string' && /^[0-9A-Z]{5}$/.test(code) ? code : null;
}

/** Socket errors of Node, and what `pg` says when the server went away without a word. */
const CONNECTION_CODES = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'EPIPE',
  'ETIMEDOUT',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENOENT',
  // A COPY whose connection went away under it.
  'ERR_STREAM_PREMATURE_CLOSE',
  'ERR_STREAM_DESTROYED',
  'ERR_STREAM_WRITE_AFTER_END',
]);
const CONNECTION_MESSAGE =
  /connection terminated|connection ended|timeout exceeded when trying to connect|client has encountered a connection error|not queryable/i;

/** True when the connection itself failed, so that it is not known what became of a statement under way. */
export function isConnectionError(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const state = sqlState(error);
  // Class 08: connection exceptions. 57P01–57P03: shutdown, crash, starting up. 25P03: idle in transaction timeout.
  if (state !== null)
    return state.startsWith('08') || state === '57P01' || state === '57P02' || state === '57P03' || state === '25P03';
  const code = 'code' in error && typeof error.code === 'string' ? error.code : '';
  return CONNECTION_CODES.has(code) || CONNECTION_MESSAGE.test(error.message);
}

/**
 * True for a statement kept under a name that no longer fits what it was planned for (0A000), or that somebody else has thrown away
 * (26000): on another connection it is prepared anew.
 */
export function isStatementOfNoUse(error: unknown): boolean {
  const state = sqlState(error);
  return state === '0A000' || state === '26000';
}

/** True when PostgreSQL says that the same statement may succeed later: serialisation, deadlock, lock timeout, too many connections. */
export function isTransient(error: unknown): boolean {
  const state = sqlState(error);
  return (
    state === '40001' ||
    state === '40P01' ||
    state === '55P03' ||
    state === '53300' ||
    state === '57014' ||
    isConnectionError(error)
  );
}

/**
 * True when a statement failed for a reason that lies in the server and its surroundings, never in what was asked: what passes by
 * itself, resources (53), an operator (57), the system (58), and a server that only reads, as after a failover.
 */
export function isOutage(error: unknown): boolean {
  const state = sqlState(error);
  return isTransient(error) || (state !== null && (/^5[378]/.test(state) || state === '25006'));
}

/** True when the data is at fault (SQLSTATE classes 22 and 23; 54000, a key too long to index), never the connection, a lock or the server. */
export function isDataError(error: unknown): boolean {
  const state = sqlState(error);
  return state !== null && (state.startsWith('22') || state.startsWith('23') || state === '54000');
}

/** A transient error as {@link RetriableError}; any other as it is. */
export function asRetriable(error: unknown, what: string): unknown {
  if (error instanceof KappaError || !isTransient(error)) return error;
  const reason = error instanceof Error ? error.message : String(error);
  return new RetriableError(`${what} did not happen: ${reason}`, { facts: { sqlState: sqlState(error) }, cause: error });
}
