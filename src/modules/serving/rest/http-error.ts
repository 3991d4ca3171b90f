import {
  FencedError,
  type KappaError,
  Refusal,
  RetriableError,
  UnknownOutcomeError,
  WrongExpectedVersionError,
  type ErrorFacts,
} from '../../../kernel/errors.js';

/** What an HTTP answer says of an error. Facts and next step are left out of faults of the server. */
export interface HttpErrorBody {
  readonly statusCode: number;
  readonly code: string;
  readonly message: string;
  readonly facts?: ErrorFacts;
  readonly nextStep?: string;
}

export interface HttpError {
  readonly status: number;
  readonly body: HttpErrorBody;
  /** Seconds after which another try makes sense; null where none does. */
  readonly retryAfterSeconds: number | null;
}

const STATUS: Readonly<Record<string, number>> = {
  KAPPA_INVALID_PAYLOAD: 400,
  KAPPA_BAD_COMMAND_OPTIONS: 400,
  KAPPA_BAD_CURSOR: 400,
  KAPPA_BAD_KEY: 400,
  KAPPA_BAD_NAME: 400,
  KAPPA_BAD_POSITION: 400,
  KAPPA_BAD_QUERY: 400,
  KAPPA_BAD_TENANT: 400,
  KAPPA_NO_REASON: 400,
  KAPPA_NOT_FOUND: 404,
  KAPPA_UNKNOWN_DEAD_LETTER: 404,
  KAPPA_UNKNOWN_PROJECTION: 404,
  KAPPA_REST_OFF: 404,
  KAPPA_VALUE_TAKEN: 409,
  KAPPA_DEAD_LETTER_SETTLED: 409,
  KAPPA_DEAD_LETTER_WAITS: 409,
  KAPPA_RECORD_TOO_LARGE: 413,
  // As the IETF draft on the Idempotency-Key header has it: the same key with another request.
  KAPPA_COMMAND_ID_REUSED: 422,
  KAPPA_NOT_STARTED: 503,
  KAPPA_NO_LIVE_BUILD: 503,
  // The live build is of a version that this process does not know: another process, or this one after a redeploy, does.
  KAPPA_READ_MODEL_CHANGED: 503,
  KAPPA_READ_TIMEOUT: 503,
  KAPPA_DATABASE_UNREACHABLE: 503,
};

const RETRY_AFTER_SECONDS = 1;

/**
 * The HTTP answer of an error: a refusal is 422, a lost race 409, bad input 400, what passes 503, all else 500. The one place
 * where errors meet HTTP.
 */
export function httpError(error: KappaError): HttpError {
  const status = statusOf(error);
  const passes = status === 503;
  if (status === 500)
    return {
      status,
      retryAfterSeconds: null,
      body: { statusCode: status, code: error.code, message: 'internal server error' },
    };
  return {
    status,
    retryAfterSeconds: passes ? RETRY_AFTER_SECONDS : null,
    body: {
      statusCode: status,
      code: error.code,
      message: error.message,
      ...(passes ? {} : { facts: error.facts }),
      ...(error.nextStep === null || passes ? {} : { nextStep: error.nextStep }),
    },
  };
}

function statusOf(error: KappaError): number {
  if (error instanceof Refusal) return 422;
  if (error instanceof WrongExpectedVersionError) return 409;
  if (error instanceof RetriableError || error instanceof UnknownOutcomeError || error instanceof FencedError) return 503;
  return STATUS[error.code] ?? 500;
}
