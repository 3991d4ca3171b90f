import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Database } from '../../src/database/database.js';
import type { Migration } from '../../src/database/migration.js';
import { Migrator } from '../../src/database/migrator.js';
import { logMigrations } from '../../src/log/postgres/migrations.js';
import { createTestDatabase, type TestDatabase } from '../../src/testing/test-server.js';

/** Would fail if it were applied twice. */
const first: Migration = {
  id: 'test-0001-things',
  up: ({ schema }) => `create table ${schema}.things (id int); insert into ${schema}.things values (1);`,
};
const second: Migration = {
  id: 'test-0002-more',
  up: ({ schema }) => `alter table ${schema}.things add column more text; insert into ${schema}.things values (2);`,
};
const broken: Migration = {
  id: 'test-0003-broken',
  up: ({ schema }) => `insert into ${schema}.things values (3); select no_such_function();`,
};

let test: TestDatabase;
let opened: Database[];

beforeEach(async () => {
  test = await createTestDatabase();
  opened = [];
});

afterEach(async () => {
  for (const database of opened) await database.stop();
  await test.drop();
});

function open(options: { schema?: string; url?: string } = {}): Database {
  const database = new Database({ url: test.url, poolSize: 2, ...options });
  opened.push(database);
  return database;
}

async function things(database: Database): Promise<number[]> {
  return (await database.query<{ id: number }>('select id from things order by id')).rows.map(({ id }) => id);
}

describe('the migrator', () => {
  it('applies what is missing, in order, and nothing twice', async () => {
    const database = open();
    expect(await new Migrator(database, [first]).migrate()).toEqual([first.id]);
    expect(await new Migrator(database, [first, second]).migrate()).toEqual([second.id]);
    expect(await new Migrator(database, [first, second]).migrate()).toEqual([]);
    expect(await things(database)).toEqual([1, 2]);
  });

  it('applies each step once when ten processes start at the same time', async () => {
    const databases = Array.from({ length: 10 }, () => open());
    const applied = await Promise.all(databases.map((database) => new Migrator(database, [first, second]).migrate()));
    expect(applied.flat().sort()).toEqual([first.id, second.id]);
    expect(await things(open())).toEqual([1, 2]);
  });

  it('tells which steps were applied, and when', async () => {
    const database = open();
    expect(await new Migrator(database, [first]).status()).toEqual([{ id: first.id, appliedAt: null }]);
    await new Migrator(database, [first]).migrate();
    const [one, two] = await new Migrator(database, [first, second]).status();
    expect(one?.appliedAt).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/);
    expect(two).toEqual({ id: second.id, appliedAt: null });
  });

  it('names the missing steps and the command that applies them', async () => {
    const database = open();
    const migrator = new Migrator(database, [first, second]);
    await expect(migrator.check()).rejects.toMatchObject({
      code: 'KAPPA_SCHEMA_BEHIND',
      facts: { missing: [first.id, second.id] },
    });
    await expect(migrator.check()).rejects.toThrow(/nest-kappa database migrate.*nest-kappa database sql/s);
    await migrator.migrate();
    await expect(migrator.check()).resolves.toBeUndefined();
  });

  it('leaves nothing of a step that fails, names it, and keeps those before it', async () => {
    const database = open();
    const migrator = new Migrator(database, [first, broken, second]);
    await expect(migrator.migrate()).rejects.toMatchObject({ code: 'KAPPA_MIGRATION_FAILED', facts: { step: broken.id } });
    expect(await things(database)).toEqual([1]);
    expect((await migrator.status()).map(({ appliedAt }) => appliedAt !== null)).toEqual([true, false, false]);
  });

  it('refuses a schema that a newer version has changed', async () => {
    const database = open();
    await new Migrator(database, [first, second]).migrate();
    const older = new Migrator(database, [first]);
    for (const attempt of [() => older.migrate(), () => older.check(), () => older.status()]) {
      await expect(attempt()).rejects.toMatchObject({ code: 'KAPPA_SCHEMA_NEWER', facts: { unknown: [second.id] } });
    }
  });

  it('writes a script that does the same, and may be run again', async () => {
    const database = open();
    const migrator = new Migrator(database, [first, second, ...logMigrations]);
    for (const _ of ['once', 'again']) await database.query(migrator.sql());
    await expect(migrator.check()).resolves.toBeUndefined();
    expect(await things(database)).toEqual([1, 2]);
    expect(await migrator.migrate()).toEqual([]);
  });

  it('writes a script that goes on where another one ended', async () => {
    const database = open();
    await new Migrator(database, [first]).migrate();
    await database.query(new Migrator(database, [first, second]).sql());
    expect(await things(database)).toEqual([1, 2]);
  });

  it('needs CREATE in one schema that stands already, and nothing else', async () => {
    const admin = open();
    const role = `role_${test.name}`;
    await admin.query(
      `create role ${role} login password 'secret'; create schema mine; revoke create on schema public from public; grant usage, create on schema mine to ${role}`,
    );
    try {
      const database = open({ schema: 'mine', url: asUser(test.url, role) });
      const migrator = new Migrator(database, [first, ...logMigrations]);
      await migrator.migrate();
      expect(await things(database)).toEqual([1]);
      const elsewhere = new Migrator(open({ schema: 'other', url: asUser(test.url, role) }), [first]);
      await expect(elsewhere.migrate()).rejects.toMatchObject({ code: 'KAPPA_MIGRATION_FAILED', facts: { sqlState: '42501' } });
      await expect(elsewhere.migrate()).rejects.toThrow(/Grant the role CREATE on schema other/);
    } finally {
      await Promise.all(opened.splice(1).map((database) => database.stop()));
      await admin.query(`drop owned by ${role}; drop role ${role}`);
    }
  });

  it('keeps two schemas of one database apart, whatever their names', async () => {
    for (const schema of ['one', 'Two "quoted"; drop']) {
      const database = open({ schema });
      expect(await new Migrator(database, [first, ...logMigrations]).migrate()).toHaveLength(1 + logMigrations.length);
      await database.query(new Migrator(database, [first, ...logMigrations]).sql());
      expect(await things(database)).toEqual([1]);
    }
  });
});

function asUser(url: string, user: string): string {
  const changed = new URL(url);
  changed.username = user;
  changed.password = 'secret';
  return changed.href;
}
