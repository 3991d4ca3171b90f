import { existsSync } from 'node:fs';
import { cp, mkdir, mkdtemp, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { Processes } from './processes.js';

/** What stands beside the sources and is no part of them. */
const INSTALLED = ['node_modules', 'test/types/typescript-6/node_modules'];
/** Packages of their own that find this one as an application does. */
const OUTSIDE = ['bench', 'faults'];

/** A copy of the repository to take guards out of: what git knows or would add, with the installed packages of the original. */
export async function copyRepository(root: string, processes: Processes): Promise<string> {
  const listed = await processes.run('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard'], root);
  const copy = await mkdtemp(path.join(tmpdir(), 'kappa-prove-'));
  try {
    for (const file of listed.stdout.split('\0').filter(Boolean)) {
      // One that was removed, and the removal not committed yet.
      if (!existsSync(path.join(root, file)) || INSTALLED.includes(file)) continue;
      await cp(path.join(root, file), path.join(copy, file), { verbatimSymlinks: true });
    }
    for (const folder of INSTALLED)
      if (existsSync(path.join(root, folder))) await symlink(path.join(root, folder), path.join(copy, folder), 'junction');
    for (const folder of OUTSIDE) {
      await mkdir(path.join(copy, folder, 'node_modules'), { recursive: true });
      await symlink(copy, path.join(copy, folder, 'node_modules', 'nest-kappa'), 'junction');
    }
    return copy;
  } catch (error) {
    await rm(copy, { recursive: true, force: true });
    throw error;
  }
}
