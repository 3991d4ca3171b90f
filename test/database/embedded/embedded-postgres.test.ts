import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { cp, mkdir, mkdtemp, readdir, readFile, rm, unlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import pg from 'pg';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { isAlive } from '../../../src/database/embedded/client-register.js';
import { findEmbeddedPostgres, startEmbeddedPostgres } from '../../../src/database/embedded/embedded-postgres.js';
import { packagedFolder, readyBinaries } from '../../../src/database/embedded/platform-binaries.js';
import { serverHome } from '../../../src/database/embedded/server-home.js';

const BUILT = fileURLToPath(new URL('../../../dist/database/embedded/embedded-postgres.js', import.meta.url));
const CLIENT = `
  const { startEmbeddedPostgres } = await import(process.argv[1]);
  const server = await startEmbeddedPostgres({ dataDir: process.argv[2] });
  process.stdout.write(server.url + '\\n');
  process.on('SIGTERM', () => server.stop().then(() => process.exit(0)));
  setInterval(() => {}, 1000);
`;

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'kappa-embedded-'));
});

afterEach(async () => {
  const home = await serverHome(folder);
  await rm(home.folder, { recursive: true, force: true });
  await rm(folder, { recursive: true, force: true });
});

async function postmaster(): Promise<number> {
  const home = await serverHome(folder);
  return Number((await readFile(path.join(home.folder, 'data', 'postmaster.pid'), 'utf8')).split('\n')[0]);
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

async function startClient(): Promise<{ readonly child: ChildProcess; readonly url: string }> {
  const child = spawn(process.execPath, ['--input-type=module', '-e', CLIENT, BUILT, folder], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [line] = (await once(child.stdout, 'data')) as [Buffer];
  return { child, url: line.toString().trim() };
}

async function untilGone(pid: number): Promise<void> {
  while (isAlive(pid)) await wait(20);
}

describe('the embedded PostgreSQL', () => {
  it('keeps its data over a stop and a start', async () => {
    const first = await startEmbeddedPostgres({ dataDir: folder });
    await ask(first.url, 'create table kept as select 1 as one');
    await first.stop();
    const second = await startEmbeddedPostgres({ dataDir: folder });
    expect(await ask(second.url, 'select one from kept')).toEqual([{ one: 1 }]);
    await second.stop();
    await second.stop();
    expect(await findEmbeddedPostgres(folder)).toBeNull();
  });

  it('is shared by processes and stopped by the last one out', async () => {
    const here = await startEmbeddedPostgres({ dataDir: folder });
    const there = await startClient();
    expect(there.url).toBe(here.url);
    const pid = await postmaster();
    await here.stop();
    expect(await ask(there.url, 'select 1 as one')).toEqual([{ one: 1 }]);
    there.child.kill('SIGTERM');
    await once(there.child, 'exit');
    expect(isAlive(pid)).toBe(false);
  });

  it('starts one server when several processes arrive at once', async () => {
    const clients = await Promise.all([startClient(), startClient(), startClient()]);
    expect(new Set(clients.map(({ url }) => url)).size).toBe(1);
    const pid = await postmaster();
    for (const { child } of clients) child.kill('SIGTERM');
    await Promise.all(clients.map(({ child }) => once(child, 'exit')));
    await untilGone(pid);
  });

  it('does not outlive its only client when that is killed', async () => {
    const { child } = await startClient();
    const pid = await postmaster();
    child.kill('SIGKILL');
    await untilGone(pid);
    const again = await startEmbeddedPostgres({ dataDir: folder });
    expect(again.startedHere).toBe(true);
    await again.stop();
  });

  it('runs from a package whose libraries have no links and that cannot be written', async () => {
    const packaged = await packagedFolder();
    const copy = path.join(folder, 'package', 'native');
    await cp(packaged, copy, { recursive: true, verbatimSymlinks: true });
    await cp(path.join(packaged, '..', 'package.json'), path.join(folder, 'package', 'package.json'));
    const links = JSON.parse(await readFile(path.join(copy, 'pg-symlinks.json'), 'utf8')) as { target: string }[];
    for (const { target } of links) await unlink(path.join(copy, '..', target)).catch(() => undefined);
    const binaries = await readyBinaries(copy, { cache: path.join(folder, 'cache'), mustCopy: true });
    expect(binaries.folder).not.toBe(copy);
    const version = spawn(binaries.postgres, ['--version'], { stdio: ['ignore', 'pipe', 'inherit'] });
    const [text] = (await once(version.stdout, 'data')) as [Buffer];
    expect(text.toString()).toContain(`PostgreSQL) ${binaries.major}.`);
  });

  it('names the remedy where the platform has no package', async () => {
    await expect(packagedFolder('@embedded-postgres/plan9-mips')).rejects.toMatchObject({
      code: 'KAPPA_NO_EMBEDDED_POSTGRES',
      nextStep: expect.stringContaining('database.url') as string,
    });
  });

  it('refuses a folder called data that is not its own, and leaves it alone', async () => {
    const { folder: home } = await serverHome(folder);
    const stranger = path.join(home, 'data', 'invoices.csv');
    await mkdir(path.dirname(stranger));
    await writeFile(stranger, 'kept');
    await expect(startEmbeddedPostgres({ dataDir: folder })).rejects.toMatchObject({ code: 'KAPPA_DATA_DIR' });
    expect(await readFile(stranger, 'utf8')).toBe('kept');
  });

  it('never begins anew over data whose version it cannot read', async () => {
    const server = await startEmbeddedPostgres({ dataDir: folder });
    await server.stop();
    const { folder: home } = await serverHome(folder);
    const version = path.join(home, 'data', 'PG_VERSION');
    await unlink(version);
    await mkdir(version);
    await expect(startEmbeddedPostgres({ dataDir: folder })).rejects.toThrow();
    expect(await readdir(path.join(home, 'data'))).toContain('pg_wal');
  });

  it('refuses data of another major version', async () => {
    const server = await startEmbeddedPostgres({ dataDir: folder });
    await server.stop();
    const home = await serverHome(folder);
    await writeFile(path.join(home.folder, 'data', 'PG_VERSION'), '14\n');
    await expect(startEmbeddedPostgres({ dataDir: folder })).rejects.toMatchObject({ code: 'KAPPA_DATA_VERSION' });
  });
});
