import { Module } from '@nestjs/common';
import { DeadLetters } from './dead-letters/dead-letters.js';
import { LateDeadLetters } from './dead-letters/late-dead-letters.js';

/** Holds what operators' code is given, one of each in an application. */
@Module({
  providers: [LateDeadLetters, { provide: DeadLetters, useExisting: LateDeadLetters }],
  exports: [LateDeadLetters, DeadLetters],
})
export class OperationsModule {}
