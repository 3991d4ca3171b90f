import { isTransient, sqlState } from '../../../database/database-errors.js';
import { KappaError } from '../../../kernel/errors.js';

/** An outage, a lock, a full disk: not the build's fault, and it goes on where it stood. */
export function passes(error: unknown): boolean {
  if (error instanceof KappaError)
    return (
      error.code === 'KAPPA_RETRIABLE' ||
      error.code === 'KAPPA_UNKNOWN_OUTCOME' ||
      error.code === 'KAPPA_DATABASE_UNREACHABLE' ||
      error.code === 'KAPPA_FENCED'
    );
  return isTransient(error) || (sqlState(error)?.startsWith('53') ?? false);
}
