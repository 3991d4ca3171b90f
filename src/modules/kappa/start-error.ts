import { KappaError } from '../../kernel/errors.js';

/**
 * A failed start as it should be printed, by Nest's logger or by Node itself: code, facts and next step stand in the message;
 * where in our code it was thrown, and the fields once more, help nobody who reads it in a log. Errors that are not ours keep
 * their stack.
 */
export function withoutStack(error: unknown): unknown {
  if (!(error instanceof KappaError)) return error;
  error.stack = error.message;
  delete error.cause;
  for (const name of Object.keys(error)) Object.defineProperty(error, name, { enumerable: false });
  return error;
}
