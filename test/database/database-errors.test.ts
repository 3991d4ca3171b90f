import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { asRetriable, isConnectionError, isDataError, isTransient, sqlState } from '../../src/database/database-errors.js';
import { RetriableError } from '../../src/kernel/errors.js';
import { createTestDatabase } from '../../src/testing/test-server.js';
import { Database } from '../../src/database/database.js';

/** What writing to a socket gives whose other end is closed. */
async function brokenPipe(): Promise<unknown> {
  const folder = await mkdtemp(path.join(tmpdir(), 'kappa-pipe-'));
  const server = createServer((socket) => socket.destroy()).listen(path.join(folder, 'socket'));
  await once(server, 'listening');
  const client = connect({ path: path.join(folder, 'socket'), allowHalfOpen: true }).resume();
  await once(client, 'end');
  client.write('anybody there?');
  const [error] = (await once(client, 'error')) as [unknown];
  server.close();
  await rm(folder, { recursive: true });
  return error;
}

describe('an error of the database', () => {
  it('is one of the connection where the pipe broke, though EPIPE has the form of a SQLSTATE', async () => {
    const error = await brokenPipe();
    expect(error).toMatchObject({ code: 'EPIPE', syscall: 'write' });
    expect(sqlState(error)).toBeNull();
    expect(isConnectionError(error)).toBe(true);
    expect(isTransient(error)).toBe(true);
    expect(asRetriable(error, 'the write')).toBeInstanceOf(RetriableError);
  });

  it('is of the data, of a lock or of neither, by what PostgreSQL says', async () => {
    const made = await createTestDatabase();
    const database = new Database({ url: made.url });
    const refused = async (statement: string): Promise<unknown> =>
      database.query(statement).then(
        () => null,
        (error: unknown) => error,
      );
    const judged = async (statement: string) => {
      const error = await refused(statement);
      return [sqlState(error), isDataError(error), isTransient(error), isConnectionError(error)];
    };
    expect(await judged('select 1 / 0')).toEqual(['22012', true, false, false]);
    expect(await judged(`do $$ begin raise exception 'busy' using errcode = '40001'; end $$`)).toEqual([
      '40001',
      false,
      true,
      false,
    ]);
    expect(await judged('select pg_terminate_backend(pg_backend_pid())')).toEqual(['57P01', false, true, true]);
    expect(await judged('select * from nowhere')).toEqual(['42P01', false, false, false]);
    await database.stop();
    await made.drop();
  });
});
