import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { chown, mkdir, open, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { KappaError } from '../../kernel/errors.js';
import type { Binaries } from './platform-binaries.js';
import type { ServerHome } from './server-home.js';
import { nextStepFor } from './server-log.js';
import { runAs, serverEnvironment } from './server-user.js';

/** The database that applications get, and its owner. */
export const DATABASE = 'kappa';
const USER = 'kappa';

const HALF_MADE = 'data.half-';

/** The folder that PostgreSQL calls its data directory. */
export function dataOf(home: ServerHome): string {
  return path.join(home.folder, 'data');
}

/** @throws ENOENT before {@link ensureCluster} */
export async function clusterUrl(home: ServerHome, port: number): Promise<string> {
  const password = (await readFile(path.join(home.folder, 'password'), 'utf8')).trim();
  return `postgres://${USER}:${password}@127.0.0.1:${port}/${DATABASE}`;
}

/**
 * Makes the cluster and its database if there is none. All of it is made in a folder beside and moved into place, so that a kill
 * in between leaves nothing half. To be called under the lock of the home.
 * @throws KAPPA_DATA_VERSION, KAPPA_DATA_DIR, KAPPA_EMBEDDED_START with what initdb said
 */
export async function ensureCluster(home: ServerHome, binaries: Binaries, durable: boolean): Promise<void> {
  const version = await versionOf(dataOf(home));
  if (version === binaries.major) return;
  if (version === null) return makeCluster(home, binaries, durable);
  throw new KappaError(
    'KAPPA_DATA_VERSION',
    `${dataOf(home)} is of PostgreSQL ${version}, this package brings ${binaries.major}`,
    {
      facts: { folder: dataOf(home), version, brought: binaries.major },
      nextStep: `Move the data with pg_dump of PostgreSQL ${version}, or give another folder with database.dataDir.`,
    },
  );
}

/**
 * The major version of the data in `folder`, or null when there is nothing at all. These are somebody's events: whatever cannot
 * be read for sure as ours is refused, and never cleared away to begin anew.
 */
async function versionOf(folder: string): Promise<string | null> {
  const names = await readdir(folder).catch((error: unknown): string[] => {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  });
  if (names.length === 0) return null;
  if (names.includes('PG_VERSION')) return (await readFile(path.join(folder, 'PG_VERSION'), 'utf8')).trim();
  throw new KappaError('KAPPA_DATA_DIR', `${folder} is not empty and holds no PostgreSQL data`, {
    facts: { folder, holds: names.slice(0, 5) },
    nextStep: 'Give another folder with database.dataDir or KAPPA_DATA_DIR, or restore this one from a backup.',
  });
}

async function makeCluster(home: ServerHome, binaries: Binaries, durable: boolean): Promise<void> {
  await removeHalfMade(home);
  const half = path.join(home.folder, `${HALF_MADE}${randomBytes(4).toString('hex')}`);
  const passwordFile = path.join(home.folder, 'password');
  await mkdir(half, { mode: 0o700 });
  await rm(passwordFile, { force: true });
  await writeFile(passwordFile, `${randomBytes(18).toString('base64url')}\n`, { mode: 0o600, flag: 'wx' });
  if (home.user) {
    await chown(half, home.user.uid, home.user.gid);
    await chown(passwordFile, home.user.uid, home.user.gid);
  }
  await run(home, binaries.initdb, [
    ...['-D', half, '-U', USER, `--pwfile=${passwordFile}`, '--auth=scram-sha-256', '--no-instructions'],
    // The builtin provider sorts by code point and knows letters beyond ASCII, alike on every system.
    ...['--encoding=UTF8', '--locale=C', '--locale-provider=builtin', '--builtin-locale=C.UTF-8'],
    // 144 random bits need no stretching: a connection takes 5 ms instead of 25 ms.
    ...['-c', 'scram_iterations=1'],
    ...(durable ? [] : ['--no-sync']),
  ]);
  const single = ['--single', '-D', half, ...(durable ? [] : ['-F']), 'postgres'];
  await run(home, binaries.postgres, single, `create database ${DATABASE}\n`);
  await rename(half, dataOf(home));
  if (durable) await syncFolder(home.folder);
}

/** Left by a process that was killed in the middle. */
async function removeHalfMade(home: ServerHome): Promise<void> {
  for (const name of await readdir(home.folder)) {
    if (name.startsWith(HALF_MADE)) await rm(path.join(home.folder, name), { recursive: true, force: true, maxRetries: 5 });
  }
}

/** Runs a program as the server's user to its end. @throws KAPPA_EMBEDDED_START with its last words */
async function run(home: ServerHome, program: string, args: readonly string[], input = ''): Promise<void> {
  const child = spawn(program, args, { ...runAs(home.user), cwd: home.folder, env: serverEnvironment(), windowsHide: true });
  let said = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (said += chunk.toString()));
  // A program that ends before it has read says why by itself.
  child.stdin.on('error', () => undefined);
  child.stdin.end(input);
  const problem = await once(child, 'close').then(
    ([code, signal]) => (code === 0 ? null : `it ended with ${String(signal ?? code)}`),
    (error: unknown) => (error instanceof Error ? error.message : String(error)),
  );
  if (problem === null) return;
  const log = said.trimEnd().split('\n').slice(-5).join(' | ');
  throw new KappaError(
    'KAPPA_EMBEDDED_START',
    `${path.basename(program)} for ${home.folder} failed: ${problem}${log && ` (it said: ${log})`}`,
    {
      facts: { program, folder: home.folder, log },
      nextStep: nextStepFor(`${problem}\n${log}`),
    },
  );
}

async function syncFolder(folder: string): Promise<void> {
  if (process.platform === 'win32') return;
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
