import type { AnyRecorded } from '../../kernel/event.js';
import type { Position } from '../../kernel/position.js';

/** A command's class: its class-validator rules are checked before anything else. */
export type CommandClass = abstract new (...args: never[]) => object;

/** The stable name of a command: its static `commandName`, else its class name. */
export function commandName(command: CommandClass): string {
  const named = (command as { readonly commandName?: unknown }).commandName;
  return typeof named === 'string' ? named : command.name;
}

/**
 * The caller's own open transaction on the same database: a `pg` client, or TypeORM's EntityManager or QueryRunner.
 * The append takes its partition lock inside it, as the last thing before your commit: keep what follows short.
 */
export interface OwnTransaction {
  query(text: string, values?: unknown[]): Promise<unknown>;
}

export interface ExecuteOptions {
  /** The command's id: the same id takes effect once per tenant, aggregate and stream. Default: a new one. */
  readonly idempotencyKey?: string;
  /** The stream's version the caller has seen; another one is a {@link WrongExpectedVersionError}. Default: any. 0: must be new. */
  readonly expectedVersion?: number;
  /** When it happened, ISO 8601 with an offset, kept as written. Default: now. */
  readonly occurredAt?: string;
  readonly tenant?: string | null;
  /** Who asks; given to `decide`. */
  readonly principal?: string | null;
  /** Default: the command's id. */
  readonly correlationId?: string;
  /** Id of the event or command that caused this one. Default: the command's id. */
  readonly causationId?: string;
  /** W3C trace context to keep with the events. */
  readonly traceparent?: string;
  /** Appends inside the caller's own transaction: events are there when it commits. */
  readonly transaction?: OwnTransaction;
}

export interface CommandResult {
  /** The stream's version after the command. */
  readonly version: number;
  /** What a read waits for to see the command's effect. */
  readonly position: Position;
  /** What was appended, in order; empty where the command changed nothing. */
  readonly events: readonly AnyRecorded[];
}

/** Executes commands. Injected: `constructor(private readonly commands: Commands)`. */
export abstract class Commands {
  /**
   * Loads the stream, decides, appends all events or none.
   * @throws Refusal when `decide` refuses; WrongExpectedVersionError; KAPPA_INVALID_PAYLOAD for a command or event that is not
   *   valid; KAPPA_VALUE_TAKEN for a unique value of another stream; KAPPA_COMMAND_ID_REUSED for the same id with other content;
   *   KAPPA_RECORD_TOO_LARGE; KAPPA_UNKNOWN_COMMAND; RetriableError when nothing was written and another try may succeed;
   *   UnknownOutcomeError when it could not be found out: execute again with the same idempotencyKey.
   */
  abstract execute(command: object, options?: ExecuteOptions): Promise<CommandResult>;
}
