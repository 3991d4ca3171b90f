import 'reflect-metadata';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { KappaModule } from 'nest-kappa';
import { talliesV1, talliesV2, talliesV3 } from './tally.js';

/** A worker whose code contains the versions that VERSIONS names. */
const versions = (process.env['VERSIONS'] ?? '1')
  .split(',')
  .map((version) => ({ 1: talliesV1, 2: talliesV2, 3: talliesV3 })[version]!);

@Module({ imports: [KappaModule.forRoot({ run: { projections: true } }), KappaModule.forFeature({ projections: versions })] })
class AppModule {}

const app = await NestFactory.createApplicationContext(AppModule, { logger: ['error'] });
process.once('SIGTERM', () => void app.close().then(() => process.exit(0)));
process.send?.('ready');
