import { KappaError } from '../../../kernel/errors.js';

/** Trying again would not help: the build has ended, the log is another one, or its begin is gone. */
const FINAL = new Set([
  'KAPPA_BUILD_STATE',
  'KAPPA_UNKNOWN_PARTITION',
  'KAPPA_LOG_CHANGED',
  'KAPPA_LOG_TRUNCATED',
  'KAPPA_UNKNOWN_TOPIC',
  'KAPPA_DEAD_LETTER_UNWRITABLE',
]);

export function isFinal(error: unknown): boolean {
  return FINAL.has(codeOf(error) ?? '');
}

/**
 * The log ends before what is stored of it: it was set back, or a broker that lags behind answered. Only the look at the log before
 * the next join of the group tells which.
 */
export function isOfAnotherLog(error: unknown): boolean {
  return codeOf(error) === 'KAPPA_POSITION_BEYOND_END';
}

export function codeOf(error: unknown): string | null {
  return error instanceof KappaError ? error.code : null;
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
