import { Module } from '@nestjs/common';
import { ConnectedHealth } from './health/connected-health.js';
import { Health } from './health/health.js';

/** Holds the one {@link Health} of an application; imported by whatever gives or serves it. */
@Module({
  providers: [ConnectedHealth, { provide: Health, useExisting: ConnectedHealth }],
  exports: [ConnectedHealth, Health],
})
export class OperationsModule {}
