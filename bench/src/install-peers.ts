import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const folder = fileURLToPath(new URL('..', import.meta.url));

/**
 * Installs what is measured beside us, once, into the folder of the benchmarks: nobody who builds or tests needs it. Versions are
 * those of bench/package.json.
 */
export async function installPeers(): Promise<void> {
  if (existsSync(`${folder}node_modules/@event-driven-io/emmett-postgresql`)) return;
  console.log('installing the peers that are measured beside us');
  const args = ['install', '--ignore-scripts', '--no-audit', '--no-fund', '--no-package-lock'];
  await promisify(execFile)('npm', args, { cwd: folder, shell: process.platform === 'win32' });
}
