import { HEADER } from '../../../kernel/envelope.js';
import { KappaError } from '../../../kernel/errors.js';
import type { LogRecord } from '../../../kernel/record.js';
import type { BuildError } from '../build.js';

/**
 * A record that a projection cannot take in: its bytes, its handler or the row it made is at fault. Never a connection, a lock
 * or the server: those pass, this does not.
 */
export class EventFailure extends Error {
  constructor(
    readonly record: LogRecord,
    override readonly cause: unknown,
  ) {
    super(messageOf(cause));
    this.name = 'EventFailure';
  }
}

/** What status shows of it. */
export function buildError(failure: EventFailure, label: string, now: Date): BuildError {
  const { record, cause } = failure;
  const type = record.headers[HEADER.type] ?? null;
  const code = cause instanceof KappaError ? cause.code : 'KAPPA_HANDLER_FAILED';
  const place = `${record.topic}/${record.partition} offset ${record.offset}`;
  return {
    code,
    message:
      cause instanceof KappaError
        ? cause.message
        : `${code}: ${label} fails at ${place} (${type ?? 'no type'}): ${messageOf(cause)}. Correct the handler and start again; nothing is lost.`,
    stack: cause instanceof Error ? (cause.stack ?? null) : null,
    at: { topic: record.topic, partition: record.partition, offset: record.offset, type },
    since: now.toISOString(),
  };
}

/** An error that stops a build without any record being at fault: a log that is another one, or whose begin is gone. */
export function stoppingError(cause: unknown, now: Date): BuildError {
  return {
    code: cause instanceof KappaError ? cause.code : 'KAPPA_BUILD_STOPPED',
    message: messageOf(cause),
    stack: cause instanceof Error ? (cause.stack ?? null) : null,
    at: null,
    since: now.toISOString(),
  };
}

function messageOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause);
}
