import { isOutage } from '../../../database/database-errors.js';
import { HEADER } from '../../../kernel/envelope.js';
import {
  FencedError,
  KappaError,
  Refusal,
  RetriableError,
  UnknownOutcomeError,
  WrongExpectedVersionError,
} from '../../../kernel/errors.js';
import type { LogRecord } from '../../../kernel/record.js';
import type { Inject } from '../../aggregates/aggregate.js';
import type { Commands } from '../../aggregates/command.js';
import type { PolicyCommand, PolicyPlan } from '../policy-plan.js';
import type { PolicyError } from '../policy-progress.js';

/** What handling an event needs. */
export interface ReactionContext {
  readonly plan: PolicyPlan;
  readonly commands: Pick<Commands, 'execute'>;
  /** Gives handlers their services. */
  readonly inject: Inject;
}

/**
 * Decodes the event, runs its handlers and executes their commands one after another. May be called again with the same record:
 * commands that took effect do so once.
 * Returns the refusals that the policy ignores.
 * @throws what decoding, a handler or a command throws; {@link passes} tells what passes by itself
 */
export async function handleEvent(record: LogRecord, { plan, commands, inject }: ReactionContext): Promise<readonly Refusal[]> {
  const ignored: Refusal[] = [];
  for (const each of await plan.react(plan.decode(record), inject)) {
    try {
      await execute(commands, each);
    } catch (error) {
      if (!(error instanceof Refusal) || plan.definition.onRefusal !== 'ignore') throw error;
      ignored.push(error);
    }
  }
  return ignored;
}

async function execute(commands: Pick<Commands, 'execute'>, { command, options }: PolicyCommand): Promise<void> {
  try {
    await commands.execute(command, options);
  } catch (error) {
    // Carried out before, with other content: a handler that looks at the clock makes another command each time.
    if (error instanceof KappaError && error.code === 'KAPPA_COMMAND_ID_REUSED') return;
    // The handler knows no version that could be wrong: others write to the same stream, and another try may succeed.
    if (error instanceof WrongExpectedVersionError && options.expectedVersion === undefined)
      throw new RetriableError(`${error.stream} is written to by many`, { cause: error });
    throw error;
  }
}

/** Codes of reads and parts that are not there yet, or not just now. */
const PASSING = new Set([
  'KAPPA_DATABASE_UNREACHABLE',
  'KAPPA_NOT_STARTED',
  'KAPPA_NO_LIVE_BUILD',
  'KAPPA_READ_MODEL_CHANGED',
  'KAPPA_READ_TIMEOUT',
]);

/**
 * True for what passes by itself and is no fault of the event: database or log away, locks, a connection that a handler's own
 * client lost, and whatever a handler throws as {@link RetriableError}.
 */
export function passes(error: unknown): boolean {
  if (error instanceof RetriableError || error instanceof UnknownOutcomeError || error instanceof FencedError) return true;
  if (error instanceof KappaError) return PASSING.has(error.code);
  // `fetch` hides a refused connection behind a TypeError, and so may a handler's own error.
  return isOutage(error) || (error instanceof Error && error.cause !== undefined && passes(error.cause));
}

/** Where an event stands, in words. */
export function placeOf(record: LogRecord): string {
  return `${record.headers[HEADER.type] ?? 'an event without type'} at ${record.topic}/${record.partition} offset ${record.offset}`;
}

/** What status shows of an event that halted its policy. */
export function eventError(label: string, record: LogRecord, cause: unknown, now: Date): PolicyError {
  const code = cause instanceof KappaError ? cause.code : 'KAPPA_HANDLER_FAILED';
  return {
    code,
    message: `${code}: ${label} fails at ${placeOf(record)}: ${messageOf(cause)} Correct it and start again; nothing is lost.`,
    stack: cause instanceof Error ? (cause.stack ?? null) : null,
    at: {
      topic: record.topic,
      partition: record.partition,
      offset: record.offset,
      type: record.headers[HEADER.type] ?? null,
    },
    since: now.toISOString(),
  };
}

/** What status shows of an error that no event is to blame for: a log that is another one, or whose begin is gone. */
export function stoppingError(cause: unknown, now: Date): PolicyError {
  return {
    code: cause instanceof KappaError ? cause.code : 'KAPPA_POLICY_STOPPED',
    message: messageOf(cause),
    stack: cause instanceof Error ? (cause.stack ?? null) : null,
    at: null,
    since: now.toISOString(),
  };
}

export function messageOf(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  return /[.!?]$/.test(message) ? message : `${message}.`;
}
