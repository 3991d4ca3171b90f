import { readFile, realpath, stat } from 'node:fs/promises';
import path from 'node:path';
import { KappaError } from '../../kernel/errors.js';

/** Whom the server runs as when we are root, as which PostgreSQL refuses to run. */
export interface ServerUser {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
}

const PASSWD = '/etc/passwd';

/** The usual owners of a PostgreSQL server (Linux, macOS), then the user that owns nothing. */
const CANDIDATES = ['postgres', '_postgres', 'nobody'];

export function runningAsRoot(): boolean {
  return process.getuid?.() === 0;
}

/**
 * An unprivileged user that exists on this machine.
 * @throws KAPPA_NO_SERVER_USER
 */
export async function unprivilegedUser(): Promise<ServerUser> {
  const users = await allUsers();
  const found = CANDIDATES.map((name) => users.find((user) => user.name === name)).find((user) => user !== undefined);
  if (found !== undefined) return found;
  throw new KappaError('KAPPA_NO_SERVER_USER', 'PostgreSQL refuses to run as root, and no other user is there to run it', {
    facts: { looked: CANDIDATES, in: PASSWD },
    nextStep: 'Run the app as an ordinary user, add a user called postgres, or set database.url.',
  });
}

/** Who owns the folder of existing data: nobody else may run its server. */
export async function ownerOf(folder: string): Promise<ServerUser> {
  const { uid, gid } = await stat(folder);
  const known = (await allUsers()).find((user) => user.uid === uid);
  return { name: known?.name ?? String(uid), uid, gid };
}

/** The slice of spawn's options that runs a program as `user`; as ourselves when that is null. */
export function runAs(user: ServerUser | null): { readonly uid?: number; readonly gid?: number } {
  return user ? { uid: user.uid, gid: user.gid } : {};
}

/** Ours, less what PostgreSQL would take as settings, and with messages in English: we read some of them. */
export function serverEnvironment(): NodeJS.ProcessEnv {
  const kept = Object.entries(process.env).filter(([name]) => !name.startsWith('PG') && name !== 'NODE_OPTIONS');
  return { ...Object.fromEntries(kept), LC_ALL: 'C' };
}

/** Whether `user` can read and run the program at `file`. */
export async function canRun(user: ServerUser, file: string): Promise<boolean> {
  const real = await realpath(file);
  return (await allows(user, real, 0o5)) && (await canEnter(user, path.dirname(real)));
}

/** Whether `user` can pass every folder down to `folder` and that one too. */
export async function canEnter(user: ServerUser, folder: string): Promise<boolean> {
  for (let current = await realpath(folder); ; current = path.dirname(current)) {
    if (!(await allows(user, current, 0o1))) return false;
    if (current === path.dirname(current)) return true;
  }
}

async function allows(user: ServerUser, file: string, bits: number): Promise<boolean> {
  const { uid, gid, mode } = await stat(file);
  const shift = uid === user.uid ? 6 : gid === user.gid ? 3 : 0;
  return ((mode >> shift) & bits) === bits;
}

async function allUsers(): Promise<ServerUser[]> {
  const text = await readFile(PASSWD, 'utf8').catch(() => '');
  return text
    .split('\n')
    .map((line) => line.split(':'))
    .map(([name = '', , uid, gid]) => ({ name, uid: Number(uid), gid: Number(gid) }))
    .filter(({ uid, gid }) => uid > 0 && gid > 0);
}
