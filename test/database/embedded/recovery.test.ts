import { spawn } from 'node:child_process';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { findEmbeddedPostgres, startEmbeddedPostgres } from '../../../src/database/embedded/embedded-postgres.js';
import { identityOf } from '../../../src/database/embedded/process-identity.js';
import { ask, ended, FAST, House, isRunning, serverPid, untilGone } from './house.js';

let house: House;
let folder: string;

beforeEach(async () => {
  house = new House();
  folder = await house.folder();
});

afterEach(() => house.clear());

const start = () => startEmbeddedPostgres({ dataDir: folder, serverSettings: FAST });

describe('the embedded PostgreSQL after a crash', () => {
  it('keeps what was committed when the server was killed under its clients', async () => {
    const before = await start();
    await ask(before.url, 'create table kept as select 1 as one');
    const pid = await serverPid(folder);
    process.kill(pid, 'SIGKILL');
    await untilGone(pid);
    const after = await start();
    expect(after.startedHere).toBe(true);
    expect(await ask(after.url, 'select one from kept')).toEqual([{ one: 1 }]);
    await before.stop();
    expect(await ask(after.url, 'select one from kept')).toEqual([{ one: 1 }]);
    await after.stop();
  });

  it('starts although a stranger bears the number of the dead server, and leaves the stranger alone', async () => {
    const before = await start();
    const file = path.join(folder, 'data', 'postmaster.pid');
    const left = await readFile(file, 'utf8');
    await before.stop();
    const stranger = spawn('sleep', ['600']);
    await writeFile(file, left.replace(/^\d+/, String(stranger.pid)));
    expect(await findEmbeddedPostgres(folder)).toBeNull();
    const after = await start();
    expect(after.startedHere).toBe(true);
    await after.stop();
    expect(await isRunning(stranger.pid ?? 0)).toBe(true);
    stranger.kill('SIGKILL');
    await ended(stranger);
  });

  it('is not held up by a lock or a client of an earlier process with our own number', async () => {
    const self = await identityOf(process.pid);
    const earlier = `${process.pid}.${Number(self?.started) - 1}.${self?.boot ?? ''}.0a0b0c`;
    for (const register of ['lock', 'clients']) {
      await mkdir(path.join(folder, register));
      await writeFile(path.join(folder, register, earlier), '');
    }
    const server = await start();
    const pid = await serverPid(folder);
    await server.stop();
    expect(await isRunning(pid)).toBe(false);
  });

  it('clears away what an interrupted first start has left', async () => {
    await mkdir(path.join(folder, 'data.half-dead', 'base'), { recursive: true });
    await writeFile(path.join(folder, 'password'), 'of the interrupted one\n');
    const server = await start();
    expect(await ask(server.url, 'select 1 as one')).toEqual([{ one: 1 }]);
    expect((await readdir(folder)).filter((name) => name.startsWith('data'))).toEqual(['data']);
    await server.stop();
  });
});
