import { Module, type CanActivate, type DynamicModule, type Type } from '@nestjs/common';
import { OperationsModule } from '../operations.module.js';
import { deadLettersController } from './dead-letters.controller.js';

export interface KappaDeadLettersOptions {
  /** Who may do this. These routes change what tables hold: an empty list says that something in front of them keeps others out. */
  readonly guards: readonly (Type<CanActivate> | CanActivate)[];
  /** Who asks, from a claim that was verified before; kept with what is retried or discarded. */
  readonly by: (request: never) => string;
  /** Default `admin/dead-letters`. */
  readonly path?: string;
}

/**
 * Dead letters over HTTP, for an admin's client: `KappaDeadLettersModule.forRoot({ guards: [AdminGuard], by: (request) => … })`
 * answers
 *
 * - `GET /admin/dead-letters?projection=fines&states=letter,follower&after=17&limit=100` → `{ letters: […], next }`;
 * - `GET /admin/dead-letters/counts` → `{ counts: [{ name, label, letters, followers, discarded }] }`;
 * - `GET /admin/dead-letters/17` → the letter with its record;
 * - `POST /admin/dead-letters/retry` with `{ "ids": [17] }`, `{ "projection": "fines" }` or `{ "all": true }` → 202 `{ outcomes }`;
 * - `POST /admin/dead-letters/discard` with `{ "ids": [17], "reason": "booked twice" }` → 202 `{ outcomes }`.
 *
 * What is asked for is carried out by whoever owns the partition; `GET` shows what became of it.
 */
@Module({})
export class KappaDeadLettersModule {
  static forRoot(options: KappaDeadLettersOptions): DynamicModule {
    return {
      module: KappaDeadLettersModule,
      imports: [OperationsModule],
      controllers: [deadLettersController(options)],
    };
  }
}
