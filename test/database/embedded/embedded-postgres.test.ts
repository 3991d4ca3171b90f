import { mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { once } from 'node:events';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { findEmbeddedPostgres, startEmbeddedPostgres } from '../../../src/database/embedded/embedded-postgres.js';
import { ask, FAST, House } from './house.js';

let house: House;
let folder: string;

beforeEach(async () => {
  house = new House();
  folder = await house.folder();
});

afterEach(() => house.clear());

const start = (options: { port?: number } = {}) => startEmbeddedPostgres({ dataDir: folder, serverSettings: FAST, ...options });

describe('the embedded PostgreSQL', () => {
  it('keeps its data and its port over a stop and a start', async () => {
    const first = await start();
    expect(first.startedHere).toBe(true);
    await ask(first.url, 'create table kept as select 1 as one');
    await first.stop();
    const second = await start();
    expect(second.url).toBe(first.url);
    expect(await ask(second.url, 'select one from kept')).toEqual([{ one: 1 }]);
    await second.stop();
    await second.stop();
  });

  it('is found while it runs, and never started or made by looking', async () => {
    expect(await findEmbeddedPostgres(path.join(folder, 'unborn'))).toBeNull();
    expect(await findEmbeddedPostgres(folder)).toBeNull();
    expect(await readdir(folder)).toEqual([]);
    const server = await start();
    expect(await findEmbeddedPostgres(folder)).toBe(server.url);
    await server.stop();
    expect(await findEmbeddedPostgres(folder)).toBeNull();
  });

  it('says where it is when it was started, and nothing when it ran already', async () => {
    const lines: string[] = [];
    const options = { dataDir: folder, serverSettings: FAST, onStart: (line: string) => lines.push(line) };
    const server = await startEmbeddedPostgres(options);
    const again = await startEmbeddedPostgres(options);
    expect(again.startedHere).toBe(false);
    expect(lines).toHaveLength(1);
    for (const part of [folder, `port ${new URL(server.url).port}`, 'programs in ']) expect(lines[0]).toContain(part);
    await Promise.all([again.stop(), server.stop()]);
  });

  it('lets nobody in without the password, which only its user can read', async () => {
    const server = await start();
    const stranger = new URL(server.url);
    stranger.password = 'guessed';
    await expect(ask(stranger.href, 'select 1')).rejects.toMatchObject({ code: '28P01' });
    expect((await stat(path.join(folder, 'password'))).mode & 0o077).toBe(0);
    await server.stop();
  });

  it('is durable unless told otherwise, in UTC, and sorts by code point', async () => {
    const server = await startEmbeddedPostgres({ dataDir: folder, serverSettings: { work_mem: '5MB' } });
    const names = ['fsync', 'synchronous_commit', 'jit', 'TimeZone', 'work_mem', 'listen_addresses'];
    const rows = await ask(
      server.url,
      `select ${names.map((name) => `current_setting('${name}') as "${name}"`).join(', ')}, 'Z' < 'a' as sorted, upper('ä') as upper`,
    );
    expect(rows).toEqual([
      {
        fsync: 'on',
        synchronous_commit: 'on',
        jit: 'off',
        TimeZone: 'UTC',
        work_mem: '5MB',
        listen_addresses: '127.0.0.1',
        sorted: true,
        upper: 'Ä',
      },
    ]);
    await server.stop();
  });

  it('takes another port when its own is taken meanwhile, but not when one was asked for', async () => {
    const first = await start();
    await first.stop();
    const squatter = createServer().listen(Number(new URL(first.url).port), '127.0.0.1');
    await once(squatter, 'listening');
    const { port } = squatter.address() as AddressInfo;
    await expect(start({ port })).rejects.toMatchObject({
      code: 'KAPPA_EMBEDDED_START',
      nextStep: expect.stringContaining('port') as string,
    });
    const second = await start();
    expect(new URL(second.url).port).not.toBe(String(port));
    await second.stop();
    squatter.close();
  });

  it('shows the end of the log and the remedy when a setting is wrong', async () => {
    const starting = startEmbeddedPostgres({ dataDir: folder, serverSettings: { ...FAST, shared_buffers: 'plenty' } });
    await expect(starting).rejects.toMatchObject({
      code: 'KAPPA_EMBEDDED_START',
      message: expect.stringContaining('invalid value for parameter "shared_buffers": "plenty"') as string,
      nextStep: 'Correct that setting.',
    });
    expect(await readdir(path.join(folder, 'clients'))).toEqual([]);
  });

  it('refuses a folder called data that is not its own, and leaves it alone', async () => {
    const stranger = path.join(folder, 'data', 'invoices.csv');
    await mkdir(path.dirname(stranger));
    await writeFile(stranger, 'kept');
    await expect(start()).rejects.toMatchObject({ code: 'KAPPA_DATA_DIR' });
    expect(await readFile(stranger, 'utf8')).toBe('kept');
  });

  it('refuses a folder that is the data of another server', async () => {
    await writeFile(path.join(folder, 'PG_VERSION'), '18\n');
    await expect(start()).rejects.toMatchObject({ code: 'KAPPA_DATA_DIR' });
    expect(await readdir(folder)).toEqual(['PG_VERSION']);
  });

  it('never begins anew over data whose version it cannot read', async () => {
    const data = path.join(folder, 'data');
    await mkdir(path.join(data, 'pg_wal'), { recursive: true });
    await expect(start()).rejects.toMatchObject({ code: 'KAPPA_DATA_DIR' });
    await mkdir(path.join(data, 'PG_VERSION'));
    await expect(start()).rejects.toMatchObject({ code: 'KAPPA_DATA_DIR' });
    expect(await readdir(data)).toEqual(['PG_VERSION', 'pg_wal']);
  });

  it('refuses data of another major version, and names both', async () => {
    await mkdir(path.join(folder, 'data'));
    await writeFile(path.join(folder, 'data', 'PG_VERSION'), '14\n');
    await expect(start()).rejects.toMatchObject({ code: 'KAPPA_DATA_VERSION', facts: { version: '14', brought: '18' } });
  });
});
