import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { KappaModule } from 'nest-kappa';
import { fine } from './fines.js';
import { finesV1, PaymentsPerFineV1 } from './projections.js';

/** The application as it runs beside a command, without what must never be made by one. */
@Module({
  imports: [
    KappaModule.forRoot({ name: 'fixture' }),
    KappaModule.forFeature({ aggregates: [fine], projections: [finesV1, PaymentsPerFineV1] }),
  ],
})
class RunningModule {}

const app = await NestFactory.createApplicationContext(RunningModule, { logger: ['error'] });
process.once('SIGTERM', () => void app.close().then(() => process.exit(0)));
process.send?.('ready');
