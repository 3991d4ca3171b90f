import { Catch, Injectable, Logger, type ArgumentsHost, type ExceptionFilter } from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import { KappaError } from '../../../kernel/errors.js';
import { httpError } from './http-error.js';

/**
 * Answers HTTP requests that ended in a {@link KappaError}: on a controller by `@UseFilters(KappaExceptionFilter)`, everywhere by
 * `{ provide: APP_FILTER, useClass: KappaExceptionFilter }`. Refusal 422, WrongExpectedVersionError 409, bad input 400,
 * RetriableError 503 with Retry-After; faults are 500 without details, and logged.
 */
@Injectable()
@Catch(KappaError)
export class KappaExceptionFilter implements ExceptionFilter<KappaError> {
  readonly #logger = new Logger(KappaExceptionFilter.name);

  constructor(private readonly adapterHost: HttpAdapterHost) {}

  catch(error: KappaError, host: ArgumentsHost): void {
    // GraphQL and microservices answer errors in their own way.
    if (host.getType<string>() !== 'http') throw error;
    const { status, body, retryAfterSeconds } = httpError(error);
    if (status === 500) this.#logger.error(error);
    const { httpAdapter } = this.adapterHost;
    const response: unknown = host.switchToHttp().getResponse();
    if (retryAfterSeconds !== null) httpAdapter.setHeader(response, 'Retry-After', String(retryAfterSeconds));
    httpAdapter.reply(response, body, status);
  }
}
