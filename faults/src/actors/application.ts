import 'reflect-metadata';
import { setTimeout as pause } from 'node:timers/promises';
import { Module, type INestApplicationContext } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { KappaModule, type KappaRunOptions } from 'nest-kappa';
import { kafka } from 'nest-kappa/kafka';
import { aggregates, projections } from '../shop/definitions.js';
import { isExcused } from './actor.js';
import type { Part } from './messages.js';

const ATTEMPTS = 20;
const PAUSE_MS = 300;

/**
 * The shop, as any application would be: what it does in this process is what `run` says. A start that a strike makes fail is
 * made again, as an orchestrator would.
 */
export async function openApplication(part: Part, run: KappaRunOptions): Promise<INestApplicationContext> {
  @Module({
    imports: [
      KappaModule.forRoot({
        name: part.name,
        database: { url: part.databaseUrl },
        ...(part.brokers.length > 0 ? { log: kafka({ brokers: part.brokers }) } : {}),
        run,
      }),
      KappaModule.forFeature({ aggregates, projections }),
    ],
  })
  class ShopModule {}
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await NestFactory.createApplicationContext(ShopModule, { logger: ['log', 'warn', 'error'], abortOnError: false });
    } catch (error) {
      if (!isExcused(error) || attempt === ATTEMPTS) throw error;
      await pause(PAUSE_MS);
    }
  }
}
