import { Controller, Get, Header, HttpStatus, Inject, Module, Res, type DynamicModule, type Type } from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import { OperationsModule } from '../operations.module.js';
import { Health, type LiveReport, type ReadyReport } from './health.js';

export interface KappaHealthOptions {
  /** Before `/live` and `/ready` in the URL. Default `health`. */
  readonly path?: string;
}

/**
 * Answers the probes of an orchestrator: `KappaHealthModule.forRoot()` serves
 *
 * - `GET /health/live` → 200 while the event loop turns, else 503;
 * - `GET /health/ready` → 200 `{ ready: true, reasons: [] }`, or 503 with the reasons.
 */
@Module({})
export class KappaHealthModule {
  static forRoot({ path = 'health' }: KappaHealthOptions = {}): DynamicModule {
    return { module: KappaHealthModule, imports: [OperationsModule], controllers: [healthController(path)] };
  }
}

function healthController(path: string): Type<object> {
  @Controller(path)
  class KappaHealthController {
    constructor(
      @Inject(Health) private readonly health: Health,
      @Inject(HttpAdapterHost) private readonly adapterHost: HttpAdapterHost,
    ) {}

    @Get('live')
    @Header('Cache-Control', 'no-store')
    live(@Res({ passthrough: true }) response: object): LiveReport {
      const report = this.health.live();
      this.#answer(response, report.live);
      return report;
    }

    @Get('ready')
    @Header('Cache-Control', 'no-store')
    async ready(@Res({ passthrough: true }) response: object): Promise<ReadyReport> {
      const report = await this.health.ready();
      this.#answer(response, report.ready);
      return report;
    }

    #answer(response: object, well: boolean): void {
      this.adapterHost.httpAdapter.status(response, well ? HttpStatus.OK : HttpStatus.SERVICE_UNAVAILABLE);
    }
  }
  return KappaHealthController;
}
