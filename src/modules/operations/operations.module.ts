import { Module } from '@nestjs/common';
import { DeadLetters } from './dead-letters/dead-letters.js';
import { LateDeadLetters } from './dead-letters/late-dead-letters.js';
import { ConnectedHealth } from './health/connected-health.js';
import { Health } from './health/health.js';

/** Holds what operators' code is given, one of each in an application. */
@Module({
  providers: [
    LateDeadLetters,
    { provide: DeadLetters, useExisting: LateDeadLetters },
    ConnectedHealth,
    { provide: Health, useExisting: ConnectedHealth },
  ],
  exports: [LateDeadLetters, DeadLetters, ConnectedHealth, Health],
})
export class OperationsModule {}
