import { KappaError } from '../../kernel/errors.js';

/**
 * A failed start as it should be printed: code, facts and next step stand in the message; where in our code it was thrown helps
 * nobody who reads it in a log. Errors that are not ours keep their stack.
 */
export function withoutStack(error: unknown): unknown {
  if (error instanceof KappaError) error.stack = error.message;
  return error;
}
