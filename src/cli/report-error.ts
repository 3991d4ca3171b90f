import { isConnectionError } from '../database/database-errors.js';
import { KappaError } from '../kernel/errors.js';
import type { Output } from './output.js';

/** Tells what went wrong: code, facts and next step to stderr, and as a document with `--json`; the stack only with `--debug`. */
export function reportError(error: unknown, out: Output, debug: boolean): void {
  const known = asKappaError(error);
  out.note(out.color.red(withoutSecrets(known.message.trimEnd())));
  for (const line of factLines(known)) out.note(out.color.dim(withoutSecrets(line)));
  if (debug) out.note(withoutSecrets(error instanceof Error ? stackOf(error) : String(error)));
  if (out.json) out.last({ error: errorDocument(known) });
}

/** Passwords of URLs and connection strings, masked wherever they stand. */
export function withoutSecrets(text: string): string {
  return text
    .replace(/(\w+:\/\/[^\s:/@]*:)[^\s/]+@/g, '$1***@')
    .replace(/\b(password|passwd|pwd|token|secret)=[^\s&;]+/gi, '$1=***');
}

export function asKappaError(error: unknown): KappaError {
  if (isKappaError(error)) return error;
  const message = error instanceof Error ? error.message : String(error);
  if (isConnectionError(error)) {
    return new KappaError('KAPPA_DATABASE_UNREACHABLE', `the database does not answer: ${message}`, {
      nextStep: 'Check the server and run it again; nothing is lost.',
      cause: error,
    });
  }
  return new KappaError('KAPPA_UNEXPECTED', message, { nextStep: 'Run it again with --debug to see where.', cause: error });
}

/** One of ours, also where it comes from the thread that compiles, which strips its class. */
export function isKappaError(error: unknown): error is KappaError {
  return (
    error instanceof KappaError ||
    (error instanceof Error && 'code' in error && String(error.code).startsWith('KAPPA_') && 'facts' in error)
  );
}

function errorDocument(error: KappaError): Record<string, unknown> {
  const document = { code: error.code, message: error.message, facts: error.facts, nextStep: error.nextStep };
  return JSON.parse(withoutSecrets(JSON.stringify(document))) as Record<string, unknown>;
}

/** Facts that the message does not say already. */
function factLines(error: KappaError): readonly string[] {
  return Object.entries(error.facts)
    .map(([name, value]) => [name, typeof value === 'string' ? value : JSON.stringify(value)] as const)
    .filter(([, text]) => text !== undefined && text !== '' && text.length < 400 && !error.message.includes(text))
    .map(([name, text]) => `  ${name}: ${text}`);
}

function stackOf(error: Error): string {
  const cause = error.cause instanceof Error ? `\ncaused by ${stackOf(error.cause)}` : '';
  return `${error.stack ?? error.message}${cause}`;
}
