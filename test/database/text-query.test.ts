import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Database, type Connection } from '../../src/database/database.js';
import { createTestDatabase, type TestDatabase } from '../../src/testing/test-server.js';

describe('a query for text', () => {
  let test: TestDatabase;
  let database: Database;
  let connection: Connection;
  beforeEach(async () => {
    test = await createTestDatabase();
    database = new Database({ url: test.url });
    connection = await database.connect();
  });
  afterEach(async () => {
    connection.release(true);
    await database.stop();
    await test.drop();
  });

  it('gives every value as PostgreSQL writes it', async () => {
    expect(
      await connection.texts({
        text: `select 1, null, '2024-06-01'::date, array['a', null], $1::numeric(4,2)`,
        values: ['1.5'],
      }),
    ).toEqual([['1', null, '2024-06-01', '{a,NULL}', '1.50']]);
    expect(await connection.texts({ text: 'select 1 where false', values: [] })).toEqual([]);
  });

  it('is prepared once under its name, beside queries of others', async () => {
    const statement = { name: 'plus', text: 'select $1::int + 1' };
    for (const [given, sum] of [
      ['1', '2'],
      ['41', '42'],
    ] as const) {
      expect(await connection.texts({ ...statement, values: [given] })).toEqual([[sum]]);
      expect((await connection.query('select 1::int8 as n')).rows).toEqual([{ n: 1 }]);
    }
    expect((await connection.query('select name from pg_prepared_statements')).rows).toEqual([{ name: 'plus' }]);
  });

  it('fails with what the server says, and leaves the connection usable', async () => {
    const statement = { name: 'cast', text: 'select $1::int' };
    await expect(connection.texts({ ...statement, values: ['one'] })).rejects.toMatchObject({ code: '22P02' });
    await expect(connection.texts({ text: 'select * from nowhere', values: [] })).rejects.toMatchObject({ code: '42P01' });
    expect(await connection.texts({ ...statement, values: ['1'] })).toEqual([['1']]);
  });

  it('fails when the connection dies under it, and at once when it is dead', async () => {
    await expect(
      connection.texts({ text: 'select pg_terminate_backend(pg_backend_pid()), pg_sleep(10)', values: [] }),
    ).rejects.toThrow();
    await expect(connection.texts({ text: 'select 1', values: [] })).rejects.toThrow();
  });
});
