import {
  Body,
  Controller,
  Get,
  HttpCode,
  Inject,
  Param,
  Post,
  Query,
  Req,
  UseFilters,
  UseGuards,
  type Type,
} from '@nestjs/common';
import { KappaError } from '../../../kernel/errors.js';
import { KappaExceptionFilter } from '../../serving/rest/kappa-exception.filter.js';
import type { DeadLetterDetails, DeadLetterPage, DeadLetters, LetterOutcome } from './dead-letters.js';
import type { KappaDeadLettersOptions } from './kappa-dead-letters.module.js';
import { LateDeadLetters } from './late-dead-letters.js';
import { idOf, parseDiscard, parseList, parseWhich } from './letter-requests.js';

interface Outcomes {
  readonly outcomes: readonly LetterOutcome[];
}

const ACCEPTED = 202;

/** A controller class of its own per module, as Nest wants it: path and guards are part of it. */
export function deadLettersController(options: KappaDeadLettersOptions): Type<object> {
  const by = options.by as (request: object) => string;

  @Controller(options.path ?? 'admin/dead-letters')
  @UseGuards(...options.guards)
  @UseFilters(KappaExceptionFilter)
  class DeadLettersController {
    constructor(@Inject(LateDeadLetters) private readonly late: LateDeadLetters) {}

    @Get()
    async list(@Query() query: Readonly<Record<string, unknown>>): Promise<DeadLetterPage> {
      return this.#letters().list(parseList(query));
    }

    @Get('counts')
    async counts(): Promise<{ readonly counts: Awaited<ReturnType<DeadLetters['counts']>> }> {
      return { counts: await this.#letters().counts() };
    }

    @Get(':id')
    async show(@Param('id') id: string): Promise<DeadLetterDetails> {
      return this.#letters().show(idOf('id', id));
    }

    @Post('retry')
    @HttpCode(ACCEPTED)
    async retry(@Body() body: unknown, @Req() request: object): Promise<Outcomes> {
      return { outcomes: await this.#letters().retry(parseWhich(body), { by: by(request) }) };
    }

    @Post('discard')
    @HttpCode(ACCEPTED)
    async discard(@Body() body: unknown, @Req() request: object): Promise<Outcomes> {
      const { ids, why } = parseDiscard(body);
      return { outcomes: await this.#letters().discard(ids, { by: by(request), why }) };
    }

    #letters(): DeadLetters {
      if (this.late.servesRest) return this.late;
      throw new KappaError('KAPPA_REST_OFF', 'this process does not serve REST', {
        nextStep: 'Name rest in run (or KAPPA_RUN), or ask another process.',
      });
    }
  }
  Object.defineProperty(DeadLettersController, 'name', { value: 'KappaDeadLettersController' });
  return DeadLettersController;
}
