import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import pg from 'pg';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { startPostgres, type BreakablePostgres } from '../../src/testing/start-postgres.js';

let folder: string;
let postgres: BreakablePostgres;

beforeEach(async () => {
  folder = path.join(await mkdtemp(path.join(tmpdir(), 'kappa-breakable-')), 'postgres');
  postgres = await startPostgres({ folder, settings: { max_connections: '20' } });
});
afterEach(async () => {
  await postgres.stop();
  await rm(path.dirname(folder), { recursive: true, force: true });
});

async function ask(statement: string): Promise<unknown[]> {
  const client = new pg.Client({ connectionString: postgres.url });
  await client.connect();
  try {
    return (await client.query<object>(statement)).rows;
  } finally {
    await client.end();
  }
}

it('keeps its port and what was committed over a kill', async () => {
  await ask('create table kept as select 1 as one');
  const idle = new pg.Client({ connectionString: postgres.url });
  await idle.connect();
  const told = new Promise((resolve) => idle.once('error', resolve));
  await postgres.kill();
  expect(await told).toBeInstanceOf(Error);
  await expect(ask('select 1')).rejects.toThrow();
  await postgres.restart();
  expect(await ask('select one from kept')).toEqual([{ one: 1 }]);
  expect(await ask('show max_connections')).toEqual([{ max_connections: '20' }]);
});

it('leaves nothing behind, whether it was killed before or not', async () => {
  await postgres.kill();
  await postgres.stop();
  await postgres.stop();
  expect(existsSync(folder)).toBe(false);
});
