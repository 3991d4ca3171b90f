import { isTransient, sqlState } from '../../../database/database-errors.js';
import { KappaError } from '../../../kernel/errors.js';

/**
 * What passes without anybody touching the build: 53 resources, 57 an operator's intervention, 58 the system around the server;
 * 25006 is a server that takes no writes, as at a failover.
 */
const PASSING_STATES = /^(53|57|58|25006)/;

/** An outage, a lock, a full disk: not the build's fault, and it goes on where it stood. */
export function passes(error: unknown): boolean {
  if (error instanceof KappaError)
    return (
      error.code === 'KAPPA_RETRIABLE' ||
      error.code === 'KAPPA_UNKNOWN_OUTCOME' ||
      error.code === 'KAPPA_DATABASE_UNREACHABLE' ||
      error.code === 'KAPPA_FENCED'
    );
  return isTransient(error) || PASSING_STATES.test(sqlState(error) ?? '');
}
