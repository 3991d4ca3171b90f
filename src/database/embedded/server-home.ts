import { createHash } from 'node:crypto';
import { chmod, lstat, mkdir, readFile, realpath, stat, writeFile } from 'node:fs/promises';
import { homedir, tmpdir } from 'node:os';
import path from 'node:path';
import { KappaError } from '../../kernel/errors.js';
import { canEnter, ownerOf, runningAsRoot, unprivilegedUser, type ServerUser } from './server-user.js';

/** Where an embedded server lives: data, log, password and who uses it. */
export interface ServerHome {
  /** The folder that was asked for. */
  readonly dataDir: string;
  /** Where the files are; another place than `dataDir` only when the server's user cannot reach that. */
  readonly folder: string;
  /** The unprivileged user that the server runs as when we are root; null when we are not. */
  readonly user: ServerUser | null;
}

const POINTER = 'server-home';
const ANOTHER_FOLDER = 'Give another folder with database.dataDir or KAPPA_DATA_DIR, or name a server with database.url.';

/**
 * Finds or makes the home of a data folder: the folder itself wherever possible, so that a mounted volume holds the data. Only
 * where the server's user cannot reach it (root, below a home of mode 700) files live in a readable place, and a pointer in the
 * folder finds them again.
 * @throws KAPPA_DATA_DIR, KAPPA_NO_SERVER_USER
 */
export async function serverHome(dataDir: string): Promise<ServerHome> {
  const asked = path.resolve(dataDir);
  try {
    const created = await mkdir(asked, { recursive: true });
    // A folder that we made never gets into somebody's repository: it holds the password.
    if (created !== undefined) await writeFile(path.join(asked, '.gitignore'), '*\n');
    const real = await realpath(asked);
    return (await existingHome(real)) ?? (await newHome(real));
  } catch (error) {
    if (error instanceof KappaError) throw error;
    throw new KappaError(
      'KAPPA_DATA_DIR',
      `${asked} cannot be used: ${error instanceof Error ? error.message : String(error)}`,
      {
        facts: { folder: asked },
        nextStep: ANOTHER_FOLDER,
        cause: error,
      },
    );
  }
}

/** The home of a data folder that has been used before, else null. Makes nothing. */
export async function findServerHome(dataDir: string): Promise<ServerHome | null> {
  const real = await ifThere(realpath(dataDir));
  return real === null ? null : existingHome(real);
}

/** Where copies of PostgreSQL's programs are kept: readable for the server's user, writable for us alone. */
export async function cacheFolder(): Promise<string> {
  if (runningAsRoot()) return rootPlace();
  const uid = process.getuid?.() ?? 0;
  return firstSafe([
    path.join(process.env['XDG_CACHE_HOME'] ?? process.env['LOCALAPPDATA'] ?? path.join(homedir(), '.cache'), 'nest-kappa'),
    path.join(tmpdir(), `nest-kappa-${uid}`),
  ]);
}

async function existingHome(real: string): Promise<ServerHome | null> {
  if (await isThere(path.join(real, 'PG_VERSION'))) {
    throw new KappaError('KAPPA_DATA_DIR', `${real} is the data of a PostgreSQL server by itself`, {
      nextStep: ANOTHER_FOLDER,
    });
  }
  const pointer = await ifThere(readFile(path.join(real, POINTER), 'utf8'));
  const folder = pointer?.trim() ?? real;
  if (!(await isThere(folder))) {
    throw new KappaError('KAPPA_DATA_DIR', `the data of ${real} stood in ${folder}, which is gone`, {
      facts: { dataDir: real, folder },
      nextStep: `Restore it, or remove ${path.join(real, POINTER)} to begin with an empty database.`,
    });
  }
  const data = path.join(folder, 'data');
  if (await isThere(data)) return { dataDir: real, folder, user: await userOf(data) };
  return pointer === null ? null : { dataDir: real, folder, user: runningAsRoot() ? await unprivilegedUser() : null };
}

async function newHome(real: string): Promise<ServerHome> {
  if (!runningAsRoot()) return { dataDir: real, folder: real, user: null };
  const user = await unprivilegedUser();
  if (await canEnter(user, real)) return { dataDir: real, folder: real, user };
  const folder = path.join(await rootPlace(), createHash('sha256').update(real).digest('hex').slice(0, 16));
  await mkdir(folder, { recursive: true });
  await chmod(folder, 0o711);
  await writeFile(path.join(real, POINTER), `${folder}\n`);
  return { dataDir: real, folder, user };
}

/** Nobody but the owner of the data can run its server; root can run it as the owner. */
async function userOf(data: string): Promise<ServerUser | null> {
  const owner = await ownerOf(data);
  if (runningAsRoot()) return owner.uid === 0 ? unprivilegedUser() : owner;
  if (process.getuid === undefined || owner.uid === process.getuid()) return null;
  throw new KappaError('KAPPA_DATA_DIR', `${data} belongs to the user ${owner.name}`, {
    facts: { data, owner: owner.name },
    nextStep: `Run as that user (data made as root can be given away with chown -R), or give another folder with database.dataDir.`,
  });
}

function rootPlace(): Promise<string> {
  return firstSafe(['/var/lib/nest-kappa', path.join(tmpdir(), 'nest-kappa')]);
}

/** The first of the folders that can be made, is ours and is writable for nobody else: in /tmp anyone may have been there before. */
async function firstSafe(folders: readonly string[]): Promise<string> {
  for (const folder of folders) {
    const made = await mkdir(folder, { recursive: true, mode: 0o755 }).then(
      () => true,
      () => false,
    );
    if (made && (await isOursAlone(folder))) return realpath(folder);
  }
  throw new KappaError('KAPPA_DATA_DIR', `none of ${folders.join(', ')} can be made as a folder of our own`, {
    facts: { folders },
    nextStep: 'Make one of them writable for this user, or name a server with database.url.',
  });
}

async function isOursAlone(folder: string): Promise<boolean> {
  const found = await lstat(folder);
  if (process.getuid === undefined) return found.isDirectory();
  if (!found.isDirectory() || found.uid !== process.getuid() || (found.mode & 0o022) !== 0) return false;
  // The umask may have taken away what the server's user needs.
  if (runningAsRoot()) await chmod(folder, 0o755);
  return true;
}

async function isThere(file: string): Promise<boolean> {
  return (await ifThere(stat(file))) !== null;
}

async function ifThere<T>(looking: Promise<T>): Promise<T | null> {
  return looking.catch((error: unknown) => {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  });
}
