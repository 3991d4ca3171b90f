import 'reflect-metadata';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { KappaModule } from 'nest-kappa';
import { all } from './payments.js';

@Module({ imports: [KappaModule.forRoot({ run: { projections: true } }), KappaModule.forFeature({ projections: all })] })
class AppModule {}

const app = await NestFactory.createApplicationContext(AppModule, { logger: ['error'] });
process.once('SIGTERM', () => void app.close().then(() => process.exit(0)));
process.send?.('ready');
