import { once } from 'node:events';
import { connect, createServer, type AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Database } from '../../../src/database/database.js';
import { copyRows, eachRow } from '../../../src/log/postgres/copy-rows.js';
import { LogDatabase, type LogClient } from './log-databases.js';

let test: LogDatabase;
let client: LogClient;

beforeAll(async () => {
  test = await LogDatabase.create();
  client = await test.client();
});

afterAll(() => test.close());

/** Rows of a number and of a text that is as long. */
const query = (rows: number) => `select i::int8, repeat('x', i)::text from generate_series(1, ${rows}) i`;

/** The lengths of the texts, in order. */
async function lengths(database: Database, text: string): Promise<number[]> {
  const messages = await copyRows(database, text);
  const found: number[] = [];
  eachRow(messages, (row) => found.push(messages.readInt32BE(row + 14)));
  return found;
}

const upTo = (rows: number): number[] => Array.from({ length: rows }, (_, index) => index + 1);

/** A way to the server whose answers come in pieces of one to so many bytes, of all sizes in turn. */
async function inPieces(url: string, most: number): Promise<{ readonly url: string; stop(): void }> {
  let count = 0;
  const { hostname, port } = new URL(url);
  const server = createServer((near) => {
    const far = connect(Number(port), hostname);
    near.setNoDelay(true);
    near.pipe(far);
    far.on('data', (data) => {
      for (let at = 0; at < data.length;) {
        const size = 1 + (count++ % most);
        near.write(data.subarray(at, at + size));
        at += size;
      }
    });
    for (const [one, other] of [
      [near, far],
      [far, near],
    ] as const) {
      one.on('error', () => other.destroy());
      one.on('close', () => other.destroy());
    }
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const through = new URL(url);
  through.hostname = '127.0.0.1';
  through.port = String((server.address() as AddressInfo).port);
  return { url: through.href, stop: () => server.close() };
}

describe('what is copied out', () => {
  it('is every row, also none', async () => {
    expect(await lengths(client.database, query(1_000))).toEqual(upTo(1_000));
    expect(await lengths(client.database, query(0))).toEqual([]);
  });

  it.each([3, 40, 3_000])('is the same where the answer comes in pieces of at most %i bytes', async (most) => {
    const way = await inPieces(client.database.url, most);
    const database = new Database({ url: way.url, poolSize: 1 });
    try {
      expect(await lengths(database, query(300))).toEqual(upTo(300));
      expect(await lengths(database, query(0))).toEqual([]);
      expect((await database.query<{ one: number }>('select 1 as one')).rows).toEqual([{ one: 1 }]);
      expect(await lengths(database, query(20))).toEqual(upTo(20));
    } finally {
      await database.stop();
      way.stop();
    }
  });

  it('is not mixed with what the server tells meanwhile', async () => {
    await client.database.query(
      `create or replace function told(i int) returns int language plpgsql as $$ begin raise notice 'row %', i; return i; end $$`,
    );
    expect(await lengths(client.database, `select told(i)::int8, repeat('x', i) from generate_series(1, 50) i`)).toEqual(
      upTo(50),
    );
  });

  it('fails as the server does, before the first row or in the middle, and the connection stays usable', async () => {
    const database = new Database({ url: client.database.url, poolSize: 1 });
    const server = async (): Promise<unknown> => (await database.query('select pg_backend_pid() as pid')).rows[0];
    try {
      const before = await server();
      await expect(copyRows(database, 'select nothing')).rejects.toMatchObject({ code: '42703' });
      await expect(copyRows(database, 'select 1 / (5000 - i) from generate_series(1, 9000) i')).rejects.toMatchObject({
        code: '22012',
      });
      expect(await lengths(database, query(10))).toEqual(upTo(10));
      expect(await server()).toEqual(before);
    } finally {
      await database.stop();
    }
  });

  it('fails when the server ends the connection in the middle, and the next has another', async () => {
    const database = new Database({ url: client.database.url, poolSize: 1, applicationName: 'copy-out-killed' });
    try {
      const copied = copyRows(database, `select pg_sleep(0.01), repeat('x', 10000) from generate_series(1, 2000)`);
      const failed = expect(copied).rejects.toThrow();
      const kill = `select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'copy-out-killed' and state = 'active'`;
      while ((await client.database.query(kill)).rows.length === 0);
      await failed;
      expect(await lengths(database, query(10))).toEqual(upTo(10));
    } finally {
      await database.stop();
    }
  });
});
