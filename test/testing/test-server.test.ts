import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import pg from 'pg';
import { afterEach, describe, expect, it } from 'vitest';
import { startEmbeddedPostgres } from '../../src/database/embedded/embedded-postgres.js';
import { createTestDatabase, testServer, type TestDatabase } from '../../src/testing/test-server.js';

const made: TestDatabase[] = [];

afterEach(async () => {
  for (const database of made.splice(0)) await database.drop();
});

async function create(template?: string): Promise<TestDatabase> {
  const database = await createTestDatabase(template === undefined ? {} : { template });
  made.push(database);
  return database;
}

async function ask(url: string, statement: string): Promise<unknown[]> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query(statement)).rows as unknown[];
  } finally {
    await client.end();
  }
}

describe('the server for tests', () => {
  it('is one for all processes of a run', async () => {
    const [one, two] = await Promise.all([testServer(), testServer()]);
    expect(one.url).toBe(two.url);
    await Promise.all([one.stop(), two.stop()]);
  });

  it('gives every test a database of its own', async () => {
    const [one, two] = await Promise.all([create(), create()]);
    await ask(one.url, 'create table mine as select 1 as one');
    expect(await ask(two.url, "select to_regclass('mine') as mine")).toEqual([{ mine: null }]);
  });

  it('copies a database that is prepared once', async () => {
    const template = await create();
    await ask(template.url, 'create table prepared as select 1 as one');
    const copy = await create(template.name);
    expect(await ask(copy.url, 'select one from prepared')).toEqual([{ one: 1 }]);
  });

  it('drops a database although somebody is still connected to it', async () => {
    const database = await createTestDatabase();
    const client = new pg.Client({ connectionString: database.url });
    client.on('error', () => undefined);
    await client.connect();
    await database.drop();
    await expect(ask(database.url, 'select 1')).rejects.toMatchObject({ code: '3D000' });
    await client.end().catch(() => undefined);
  });

  it('serves the next one while it lingers, and is gone with its folder when nobody comes', async () => {
    const parent = await mkdtemp(path.join(tmpdir(), 'kappa-test-server-'));
    const dataDir = path.join(parent, 'server');
    const options = { dataDir, serverSettings: { fsync: 'off' }, removeWhenUnused: true };
    const first = await startEmbeddedPostgres(options);
    await first.stop();
    const second = await startEmbeddedPostgres(options);
    expect(second).toMatchObject({ url: first.url, startedHere: false });
    await second.stop();
    while (existsSync(dataDir)) await wait(50);
    await rm(parent, { recursive: true });
  });
});
