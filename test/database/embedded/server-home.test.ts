import { chmod, chown, mkdir, readFile, rm, stat, symlink } from 'node:fs/promises';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { startEmbeddedPostgres } from '../../../src/database/embedded/embedded-postgres.js';
import { serverHome } from '../../../src/database/embedded/server-home.js';
import { ask, asRoot, ended, FAST, House, NOBODY } from './house.js';

let house: House;

beforeEach(() => {
  house = new House();
});

afterEach(() => house.clear());

describe('the home of an embedded PostgreSQL', () => {
  it('is the folder itself, by whichever way that is named', async () => {
    const folder = await house.folder();
    const other = path.join(await house.folder(), 'link');
    await symlink(folder, other);
    const [one, two] = [await serverHome(folder), await serverHome(other)];
    expect(one.folder).toBe(one.dataDir);
    expect(two).toEqual(one);
  });

  it('keeps a folder that it makes out of repositories', async () => {
    const made = path.join(await house.folder(), '.kappa');
    await serverHome(made);
    expect(await readFile(path.join(made, '.gitignore'), 'utf8')).toBe('*\n');
  });

  it('says so when it cannot be made', async () => {
    await expect(serverHome('/dev/null/kappa')).rejects.toMatchObject({ code: 'KAPPA_DATA_DIR' });
  });
});

describe.runIf(asRoot)('the home of an embedded PostgreSQL of root', () => {
  it('stays in the folder where the server can reach it, so that a mounted volume holds the data', async () => {
    const dataDir = path.join(await house.folder(), '.kappa');
    const server = await startEmbeddedPostgres({ dataDir, serverSettings: FAST });
    expect((await stat(path.join(dataDir, 'data'))).uid).not.toBe(0);
    await server.stop();
  });

  it('moves to a readable place below a home of mode 700, says so, and is found again', async () => {
    const home = await house.folder(0o700);
    const dataDir = path.join(home, 'app', '.kappa');
    const lines: string[] = [];
    const options = { dataDir, serverSettings: FAST, onStart: (line: string) => lines.push(line) };
    const first = await startEmbeddedPostgres(options);
    await ask(first.url, 'create table kept as select 1 as one');
    await first.stop();
    const { folder } = await serverHome(dataDir);
    expect(folder.startsWith(home)).toBe(false);
    expect(lines[0]).toContain(`data in ${folder}`);
    const second = await startEmbeddedPostgres(options);
    expect(await ask(second.url, 'select one from kept')).toEqual([{ one: 1 }]);
    await second.stop();
    await rm(folder, { recursive: true });
    await expect(startEmbeddedPostgres(options)).rejects.toMatchObject({
      code: 'KAPPA_DATA_DIR',
      message: expect.stringContaining('gone') as string,
    });
    await rm(path.join(dataDir, 'server-home'));
  });

  it('runs the server of an ordinary user as that user', async () => {
    const dataDir = await house.folder();
    await chown(dataDir, NOBODY.uid, NOBODY.gid);
    const theirs = await house.client({ dataDir }, NOBODY);
    expect(theirs.answer.startedHere).toBe(true);
    await ask(theirs.answer.url, 'create table kept as select 1 as one');
    theirs.child.kill('SIGTERM');
    await ended(theirs.child);
    const ours = await startEmbeddedPostgres({ dataDir, serverSettings: FAST });
    expect(await ask(ours.url, 'select one from kept')).toEqual([{ one: 1 }]);
    await ours.stop();
  });

  it('is refused to another user, by name of the owner', async () => {
    const dataDir = await house.folder();
    await (await startEmbeddedPostgres({ dataDir, serverSettings: FAST })).stop();
    const { answer } = await house.client({ dataDir }, NOBODY);
    expect(answer).toMatchObject({ code: 'KAPPA_DATA_DIR', message: expect.stringContaining('belongs to the user') as string });
  });

  it('is refused in words to a user who cannot write there', async () => {
    const parent = await house.folder();
    await mkdir(path.join(parent, 'locked'));
    await chmod(path.join(parent, 'locked'), 0o755);
    const { answer } = await house.client({ dataDir: path.join(parent, 'locked', '.kappa') }, NOBODY);
    expect(answer).toMatchObject({ code: 'KAPPA_DATA_DIR', message: expect.stringContaining('EACCES') as string });
  });
});
