import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { Database } from '../../src/database/database.js';
import { createTestDatabase } from '../../src/testing/test-server.js';
import { freePort } from '../support/free-port.js';

const installed = spawnSync('pgbouncer', ['--version']).status === 0;
if (!installed)
  console.warn(
    '\n!!! PgBouncer is not installed: that it is refused with words is NOT checked. Remedy: apt-get install pgbouncer\n',
  );

async function untilListening(port: number): Promise<void> {
  for (;;) {
    const socket = connect(port, '127.0.0.1');
    const open = await Promise.race([once(socket, 'connect').then(() => true), once(socket, 'error').then(() => false)]).catch(
      () => false,
    );
    socket.destroy();
    if (open) return;
  }
}

/** PgBouncer before a database, in the given mode; it refuses to run as root. */
async function startPooler(target: URL, settings: string): Promise<{ readonly url: string; stop(): Promise<void> }> {
  const folder = await mkdtemp(path.join(tmpdir(), 'kappa-pooler-'));
  await chmod(folder, 0o755);
  const port = await freePort();
  const login = `user=${target.username} password=${decodeURIComponent(target.password)}`;
  await writeFile(
    path.join(folder, 'pgbouncer.ini'),
    `[databases]\n* = host=${target.hostname} port=${target.port} ${login}\n[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = ${port}\nauth_type = any\nunix_socket_dir =\n${settings}\n`,
  );
  const user = process.getuid?.() === 0 ? { uid: 65_534, gid: 65_534 } : {};
  const child: ChildProcess = spawn('pgbouncer', [path.join(folder, 'pgbouncer.ini')], { ...user, stdio: 'ignore' });
  const exited = once(child, 'exit');
  await untilListening(port);
  const url = new URL(target.href);
  url.port = String(port);
  return {
    url: url.href,
    stop: async () => {
      child.kill('SIGINT');
      await exited;
      await rm(folder, { recursive: true, force: true });
    },
  };
}

describe.skipIf(!installed)('a pooler before the database', () => {
  it.each([
    ['in transaction mode', 'pool_mode = transaction'],
    [
      'in transaction mode that drops what it does not know',
      'pool_mode = transaction\nignore_startup_parameters = options,extra_float_digits',
    ],
  ])('is refused with words %s', async (_, settings) => {
    const test = await createTestDatabase();
    const pooler = await startPooler(new URL(test.url), settings);
    const database = new Database({ url: pooler.url });
    await expect(database.start()).rejects.toMatchObject({
      code: 'KAPPA_POOLER_DROPS_SETTINGS',
      nextStep: expect.stringContaining('session mode') as string,
    });
    await database.stop();
    await pooler.stop();
    await test.drop();
  });
});
