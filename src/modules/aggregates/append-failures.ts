import { asRetriable, isDataError, sqlState } from '../../database/database-errors.js';
import { UnknownOutcomeError } from '../../kernel/errors.js';
import type { PendingAppend } from './append-queue.js';

/** Deadlocks and serialisation failures: the server chose this transaction to give way. */
export function isDeadlock(error: unknown): boolean {
  const state = sqlState(error);
  return state === '40P01' || state === '40001';
}

/** For data that no attempt can append. What unique, foreign and exclusion constraints refuse hangs on other rows, too. */
export function isRefusedAlways(error: unknown): boolean {
  return isDataError(error) && !['23503', '23505', '23P01'].includes(sqlState(error) ?? '');
}

/** It was sent, and nobody could say what became of it. */
export function rejectUnknown(group: readonly PendingAppend[], why: string, cause: unknown): void {
  for (const pending of group) {
    const { request } = pending;
    pending.reject(
      new UnknownOutcomeError(
        `the connection was lost while ${request.commandId} was appended to ${request.stream}, and ${why}`,
        {
          facts: { stream: request.stream, commandId: request.commandId },
          nextStep: 'Execute the command again with this id as its idempotencyKey: it takes effect once.',
          cause,
        },
      ),
    );
  }
}

/** Nothing of it was written. */
export function rejectAll(group: readonly PendingAppend[], error: unknown): void {
  for (const pending of group) pending.reject(asRetriable(error, `the append to ${pending.request.stream}`));
}
