/** Facts of an error: small, printable, without secrets. */
export type ErrorFacts = Readonly<Record<string, unknown>>;

export interface KappaErrorOptions {
  readonly facts?: ErrorFacts;
  /** What the reader of the message does next, as a sentence. */
  readonly nextStep?: string;
  readonly cause?: unknown;
}

/**
 * An error with a stable code, the facts and the next step.
 * The message reads `KAPPA_CODE: what happened. What to do next.`; HTTP status is mapped at the edge only.
 */
export class KappaError extends Error {
  readonly code: string;
  readonly facts: ErrorFacts;
  readonly nextStep: string | null;

  constructor(code: string, message: string, options: KappaErrorOptions = {}) {
    const sentence = /[.!?]$/.test(message) ? message : `${message}.`;
    const text = options.nextStep ? `${sentence} ${options.nextStep}` : sentence;
    super(`${code}: ${text}`, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = new.target.name;
    this.code = code;
    this.facts = Object.freeze({ ...options.facts });
    this.nextStep = options.nextStep ?? null;
  }
}

/** A business rule said no. Not a fault: nothing is retried, nothing is logged as an error. Thrown by {@link refuse}. */
export class Refusal extends KappaError {
  constructor(code: string, facts: ErrorFacts = {}) {
    const shown = Object.entries(facts).map(([name, value]) => `${name}=${JSON.stringify(value)}`);
    super(code, shown.length ? `refused (${shown.join(', ')})` : 'refused', { facts });
  }
}

/** Says no to a command: `state.open ? […] : refuse('fine.closed', { since })`. Never returns; throws a {@link Refusal}. */
export function refuse(code: string, facts?: ErrorFacts): never {
  throw new Refusal(code, facts);
}

/** The stream is not at the version the command expected; nothing was appended. Reload and retry. */
export class WrongExpectedVersionError extends KappaError {
  constructor(
    readonly stream: string,
    readonly expectedVersion: number,
    readonly actualVersion: number,
  ) {
    super('KAPPA_WRONG_VERSION', `${stream} is at ${actualVersion}, expected ${expectedVersion}`, {
      facts: { stream, expectedVersion, actualVersion },
      nextStep: 'Reload and retry.',
    });
  }
}

/** A later owner has taken over: this one must stop writing, drop its buffers and claim again only while still assigned. */
export class FencedError extends KappaError {
  constructor(what: string, facts: ErrorFacts = {}) {
    super('KAPPA_FENCED', `${what} has a later owner`, { facts, nextStep: 'Drop buffered work and claim again.' });
  }
}

/** The operation did not happen, for a reason that passes (lock timeout, connection refused, failover): try it again. */
export class RetriableError extends KappaError {
  constructor(message: string, options: KappaErrorOptions = {}) {
    super('KAPPA_RETRIABLE', message, { nextStep: 'Try again.', ...options });
  }
}

/** It is not known whether the write happened (connection lost at COMMIT). Look it up before deciding anything again. */
export class UnknownOutcomeError extends KappaError {
  constructor(message: string, options: KappaErrorOptions = {}) {
    super('KAPPA_UNKNOWN_OUTCOME', message, { nextStep: 'Look the write up before doing it again.', ...options });
  }
}

/** A read or checkpoint below the begin of the log: those records are gone. */
export class LogTruncatedError extends KappaError {
  constructor(topic: string, partition: number, wanted: number, begin: number) {
    super('KAPPA_LOG_TRUNCATED', `${topic}/${partition} begins at ${begin}, but ${wanted} is wanted`, {
      facts: { topic, partition, wanted, begin },
      nextStep: 'Rebuild with --from-retained to accept the missing history, or restore the log.',
    });
  }
}
