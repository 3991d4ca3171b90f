import 'reflect-metadata';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import pg from 'pg';
import { holdPart } from '../part.js';

export interface BareAppPart {
  readonly databaseUrl: string;
}

/** A Nest application that has a pool, has asked once, and then has nothing to do. */
holdPart(async ({ databaseUrl }: BareAppPart) => {
  const pool = new pg.Pool({ connectionString: databaseUrl, max: 10 });
  @Module({ providers: [{ provide: pg.Pool, useValue: pool }] })
  class BareModule {}
  const app = await NestFactory.createApplicationContext(BareModule, { logger: ['warn', 'error'], abortOnError: false });
  await app.get(pg.Pool).query('select 1');
  // Sockets of a pool at rest do not keep a process alive, as a listening server would.
  const alive = setInterval(() => undefined, 2 ** 30);
  return {
    report: null,
    stop: async () => {
      clearInterval(alive);
      await app.close();
      await pool.end();
    },
  };
});
