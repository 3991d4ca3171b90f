import { setTimeout as sleep } from 'node:timers/promises';
import { whereOf } from '../../database/check-server.js';
import { isConnectionError } from '../../database/database-errors.js';
import { databaseGone } from '../../database/database.js';
import { KappaError, UnknownOutcomeError } from '../../kernel/errors.js';
import type { Logger } from '../../kernel/logger.js';

export interface WaitForDatabaseOptions {
  /** How long a database that is away is waited for. */
  readonly timeoutMs: number;
  readonly logger: Logger;
  readonly signal?: AbortSignal;
}

const FIRST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 1_000;
const SAY_EVERY_MS = 5_000;

/**
 * Connects, prepares what is to stand there, and waits with words while the database is away: it may be starting beside this
 * process. A connection that is lost in the middle of `prepare` is such an outage, too: it is called again, within the same bound.
 * @throws what `prepare` throws; KAPPA_DATABASE_UNREACHABLE after `timeoutMs`; at once what waiting does not mend (login, missing database, too old).
 */
export async function waitForDatabase(
  database: { readonly url: string; start(): Promise<void> },
  prepare: () => Promise<unknown>,
  { timeoutMs, logger, signal }: WaitForDatabaseOptions,
): Promise<void> {
  const began = Date.now();
  let said = -Infinity;
  for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs = Math.min(pauseMs * 2, LONGEST_PAUSE_MS)) {
    signal?.throwIfAborted();
    const error = await attempt(database, prepare).then(
      () => null,
      (reason: unknown) => reason as Error,
    );
    const waitedMs = Date.now() - began;
    if (error === null) {
      if (said > -Infinity) logger.log(`PostgreSQL at ${whereOf(database.url)} answers after ${seconds(waitedMs)} s`);
      return;
    }
    if (!(error instanceof KappaError) || error.code !== 'KAPPA_DATABASE_UNREACHABLE') throw error;
    if (waitedMs + pauseMs > timeoutMs) throw givenUp(error, database.url, waitedMs);
    if (Date.now() - said >= SAY_EVERY_MS) {
      logger.warn(
        `waiting for PostgreSQL at ${whereOf(database.url)}: ${reasonOf(error)} (${seconds(waitedMs)} of ${seconds(timeoutMs)} s)`,
      );
      said = Date.now();
    }
    // An abort ends the pause; what it says is thrown at the head of the loop.
    await sleep(pauseMs, undefined, signal ? { signal } : {}).catch(() => undefined);
  }
}

async function attempt(database: { start(): Promise<void> }, prepare: () => Promise<unknown>): Promise<void> {
  await database.start();
  try {
    await prepare();
  } catch (error) {
    throw error instanceof UnknownOutcomeError || isConnectionError(error) ? databaseGone(error) : error;
  }
}

function givenUp(error: KappaError, url: string, waitedMs: number): KappaError {
  return new KappaError(
    'KAPPA_DATABASE_UNREACHABLE',
    `PostgreSQL at ${whereOf(url)} did not answer within ${seconds(waitedMs)} s: ${reasonOf(error)}`,
    {
      facts: { where: whereOf(url), waitedMs },
      nextStep: 'Start it, or correct database.url (DATABASE_URL).',
      cause: error,
    },
  );
}

function reasonOf(error: KappaError): string {
  const { cause } = error;
  if (cause instanceof AggregateError)
    return cause.errors.map((each: unknown) => (each instanceof Error ? each.message : String(each))).join(', ');
  return cause instanceof Error && cause.message !== '' ? cause.message : error.message;
}

function seconds(ms: number): string {
  return String(Math.round(ms / 1_000));
}
