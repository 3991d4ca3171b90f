import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { startEmbeddedPostgres } from '../../../src/database/embedded/embedded-postgres.js';
import { ask, ended, FAST, House, isRunning, serverPid, untilGone } from './house.js';

let house: House;
let folder: string;

beforeEach(async () => {
  house = new House();
  folder = await house.folder();
});

afterEach(() => house.clear());

const watchdogPid = async (): Promise<number> => {
  const noted = JSON.parse(await readFile(path.join(folder, 'watchdog'), 'utf8')) as { dog: { pid: number } };
  return noted.dog.pid;
};

describe('an embedded PostgreSQL that several processes use', () => {
  it('is stopped by the last one out', async () => {
    const here = await startEmbeddedPostgres({ dataDir: folder, serverSettings: FAST });
    const there = await house.client({ dataDir: folder });
    expect(there.answer).toMatchObject({ url: here.url, startedHere: false });
    const pid = await serverPid(folder);
    await here.stop();
    expect(await ask(there.answer.url, 'select 1 as one')).toEqual([{ one: 1 }]);
    there.child.kill('SIGTERM');
    await ended(there.child);
    expect(await isRunning(pid)).toBe(false);
  });

  it('is started once when they arrive together', async () => {
    const clients = await Promise.all(Array.from({ length: 5 }, () => house.client({ dataDir: folder })));
    expect(new Set(clients.map(({ answer }) => answer.url)).size).toBe(1);
    expect(clients.filter(({ answer }) => answer.startedHere)).toHaveLength(1);
    const pid = await serverPid(folder);
    for (const { child } of clients) child.kill('SIGTERM');
    await Promise.all(clients.map(({ child }) => ended(child)));
    expect(await isRunning(pid)).toBe(false);
  });

  it('serves those that arrive while it goes down', async () => {
    const here = await startEmbeddedPostgres({ dataDir: folder, serverSettings: FAST });
    const [, next] = await Promise.all([here.stop(), startEmbeddedPostgres({ dataDir: folder, serverSettings: FAST })]);
    expect(await ask(next.url, 'select 1 as one')).toEqual([{ one: 1 }]);
    await next.stop();
  });

  it('stays when Ctrl-C reaches the group of the process that started it', async () => {
    const starter = await house.client({ dataDir: folder });
    const other = await house.client({ dataDir: folder });
    const pid = await serverPid(folder);
    process.kill(-(starter.child.pid ?? 0), 'SIGINT');
    starter.child.kill('SIGTERM');
    await ended(starter.child);
    expect(await serverPid(folder)).toBe(pid);
    expect(await ask(other.answer.url, 'select 1 as one')).toEqual([{ one: 1 }]);
  });

  it('does not outlive clients that were all killed', async () => {
    const clients = [await house.client({ dataDir: folder }), await house.client({ dataDir: folder })];
    const [pid, dog] = [await serverPid(folder), await watchdogPid()];
    for (const { child } of clients) child.kill('SIGKILL');
    await Promise.all([untilGone(pid), untilGone(dog)]);
    const again = await startEmbeddedPostgres({ dataDir: folder, serverSettings: FAST });
    expect(again.startedHere).toBe(true);
    await again.stop();
  });

  it('gets a new watchdog from the next client when its own was killed', async () => {
    const first = await house.client({ dataDir: folder });
    const [pid, dog] = [await serverPid(folder), await watchdogPid()];
    process.kill(dog, 'SIGKILL');
    await untilGone(dog);
    const second = await house.client({ dataDir: folder });
    expect(second.answer.startedHere).toBe(false);
    for (const { child } of [first, second]) child.kill('SIGKILL');
    await untilGone(pid);
  });
});
