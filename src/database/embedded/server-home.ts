import { createHash } from 'node:crypto';
import { chmod, chown, mkdir, readFile, realpath, stat, writeFile } from 'node:fs/promises';
import { homedir, tmpdir } from 'node:os';
import path from 'node:path';
import { KappaError } from '../../kernel/errors.js';

/** The unprivileged user that the server runs as when we are root; null when we are not. */
export interface ServerUser {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
}

/** Where an embedded server lives: data, log, password and who uses it. */
export interface ServerHome {
  /** The folder that was asked for. */
  readonly dataDir: string;
  /** Where the files are; another place than `dataDir` when the server's user cannot reach that. */
  readonly folder: string;
  /** Where a copy of the binaries may be kept. */
  readonly cache: string;
  readonly user: ServerUser | null;
}

const POINTER = 'server-home';
const ROOT_HOMES = ['/var/lib/nest-kappa', path.join(tmpdir(), 'nest-kappa')];

/**
 * Finds or makes the home of a data folder. PostgreSQL refuses to run as root, and another user cannot read below a home of
 * mode 700: as root, files live in a readable place, and a pointer in the data folder finds them again.
 */
export async function serverHome(dataDir: string): Promise<ServerHome> {
  const asked = path.resolve(dataDir);
  await mkdir(asked, { recursive: true }).catch((error: unknown) => {
    throw new KappaError(
      'KAPPA_DATA_DIR',
      `${asked} cannot be made: ${error instanceof Error ? error.message : String(error)}`,
      {
        nextStep: 'Give another folder with database.dataDir or KAPPA_DATA_DIR.',
        cause: error,
      },
    );
  });
  const real = await realpath(asked);
  const user = await serverUser();
  if (user === null) {
    return {
      dataDir: real,
      folder: real,
      cache: path.join(process.env['XDG_CACHE_HOME'] ?? path.join(homedir(), '.cache'), 'nest-kappa'),
      user,
    };
  }
  const base = await writableBase();
  const named = await readFile(path.join(real, POINTER), 'utf8').then(
    (text) => text.trim(),
    () => '',
  );
  const folder = named || path.join(base, createHash('sha256').update(real).digest('hex').slice(0, 16));
  await mkdir(folder, { recursive: true, mode: 0o711 });
  if (!named) await writeFile(path.join(real, POINTER), `${folder}\n`);
  await chown(folder, user.uid, user.gid);
  return { dataDir: real, folder, cache: base, user };
}

/** True when a user other than the owner can reach the folder and read it. */
export async function readableByOthers(folder: string): Promise<boolean> {
  for (let at = await realpath(folder); ; at = path.dirname(at)) {
    const { mode } = await stat(at);
    // Every folder on the way must let others pass, the folder itself be listed.
    if ((mode & (at === folder ? 0o005 : 0o001)) === 0) return false;
    if (at === path.dirname(at)) return true;
  }
}

async function writableBase(): Promise<string> {
  for (const base of ROOT_HOMES) {
    const made = await mkdir(base, { recursive: true, mode: 0o755 })
      .then(() => chmod(base, 0o755))
      .then(
        () => true,
        () => false,
      );
    if (made && (await readableByOthers(base))) return base;
  }
  throw new KappaError('KAPPA_DATA_DIR', `none of ${ROOT_HOMES.join(', ')} can be written`, {
    nextStep: 'Run as an ordinary user, or name a server with database.url.',
  });
}

async function serverUser(): Promise<ServerUser | null> {
  if (process.getuid?.() !== 0) return null;
  const users = (await readFile('/etc/passwd', 'utf8')).split('\n').map((line) => line.split(':'));
  for (const wanted of ['postgres', 'nobody']) {
    const found = users.find(([name]) => name === wanted);
    if (found) return { name: wanted, uid: Number(found[2]), gid: Number(found[3]) };
  }
  throw new KappaError(
    'KAPPA_NO_SERVER_USER',
    'PostgreSQL does not run as root, and there is neither a user postgres nor nobody',
    {
      nextStep: 'Run as an ordinary user, or name a server with database.url.',
    },
  );
}
