import { randomBytes } from 'node:crypto';
import { mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { KappaError } from '../../kernel/errors.js';
import { identityOf, isAlive, type ProcessIdentity } from './process-identity.js';

/**
 * Makes this process known in `folder`, by an empty file `pid.started.boot.random`: all that others need stands in the name, so
 * that there is no moment with half of it, and as no name ever comes again, anyone may remove the name of a dead process.
 * @returns the path of the file; removing it takes the announcement back.
 * @throws ENOENT when the folder above is gone.
 */
export async function announce(folder: string): Promise<string> {
  const self = await identityOf(process.pid);
  if (self === null) {
    throw new KappaError('KAPPA_NO_PROCESS_TABLE', 'this process cannot look itself up', {
      facts: { pid: process.pid, platform: process.platform },
      nextStep: 'Mount /proc (Linux), make the program ps available (macOS), or set database.url.',
    });
  }
  const file = path.join(folder, `${self.pid}.${self.started}.${self.boot}.${randomBytes(6).toString('hex')}`);
  await mkdir(folder, { mode: 0o700 }).catch((error: unknown) => {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  });
  await writeFile(file, '', { flag: 'wx' });
  return file;
}

/** The announcements of living processes in `folder`. Those of the dead are removed on the way. */
export async function living(folder: string): Promise<string[]> {
  const files: string[] = [];
  for (const name of await namesIn(folder)) {
    const file = path.join(folder, name);
    if (await isAlive(processOf(file))) files.push(file);
    else await rm(file, { recursive: true, force: true });
  }
  return files;
}

/** The process that a file of {@link announce} speaks of. */
export function processOf(file: string): ProcessIdentity {
  const [pid = '', started = '', boot = ''] = path.basename(file).split('.');
  return { pid: Number(pid), started, boot };
}

async function namesIn(folder: string): Promise<string[]> {
  return readdir(folder).catch((error: unknown): string[] => {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  });
}
