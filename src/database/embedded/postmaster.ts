import { execFile, spawn } from 'node:child_process';
import { open, readFile, rename, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { promisify } from 'node:util';
import { KappaError } from '../../kernel/errors.js';
import type { Binaries } from './platform-binaries.js';
import { commandLine, identityOf } from './process-identity.js';
import { lastLines, nextStepFor } from './server-log.js';
import { runAs, serverEnvironment, type ServerUser } from './server-user.js';

/** A living server, as its own file `postmaster.pid` tells. */
export interface Postmaster {
  readonly pid: number;
  readonly port: number;
  readonly ready: boolean;
}

const POLL_MS = 10;
/** Replaying the log after a crash may take its time; the process and its log are looked at meanwhile. */
const READY_WITHIN_MS = 120_000;
const FAST_STOP_WITHIN_MS = 60_000;
const LOG_ROTATES_AT_BYTES = 8_000_000;

/** The server that runs on `data`, or null. A number in a file proves nothing: it may be a stranger's by now. */
export async function postmasterOf(data: string): Promise<Postmaster | null> {
  const text = await readFile(pidFile(data), 'utf8').catch((error: unknown) => {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return '';
    throw error;
  });
  const lines = text.split('\n');
  const [pid, , , port] = lines.map(Number);
  if (!pid || !port || !(await isServerOn(pid, data))) return null;
  return { pid, port, ready: lines[7]?.trim() === 'ready' };
}

/** Waits while a server on `data` is starting or stopping; null when it is gone. @throws KAPPA_EMBEDDED_START when it takes too long */
export async function settledPostmaster(data: string): Promise<Postmaster | null> {
  const deadline = performance.now() + READY_WITHIN_MS;
  for (;;) {
    const found = await postmasterOf(data);
    if (found === null || found.ready) return found;
    if (performance.now() > deadline) throw failure(data, 'a server has been starting or stopping for two minutes', '');
    await wait(POLL_MS);
  }
}

export interface LaunchOptions {
  readonly data: string;
  readonly binaries: Binaries;
  readonly user: ServerUser | null;
  readonly port: number;
  readonly settings: Readonly<Record<string, string>>;
  readonly log: string;
  /** Called as soon as there is a process, before it is ready: whoever must see to its end learns of it at once. */
  readonly onSpawn: (pid: number) => Promise<void>;
}

/** A start that failed; `log` is what the server said. */
export class ServerStartError extends KappaError {
  constructor(
    message: string,
    readonly log: string,
    options: { readonly facts: Record<string, unknown>; readonly nextStep: string },
  ) {
    super('KAPPA_EMBEDDED_START', message, options);
  }
}

/**
 * Starts a server and waits until it takes connections.
 * It runs in a session of its own: Ctrl-C in a terminal must not stop it under the other processes.
 */
export async function launchPostmaster({
  data,
  binaries,
  user,
  port,
  settings,
  log,
  onSpawn,
}: LaunchOptions): Promise<Postmaster> {
  await disarmStrangersPid(data);
  const from = await rotate(log);
  const output = await open(log, 'a', 0o600);
  const all = Object.entries({ ...settings, port: String(port) }).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
  const child = spawn(binaries.postgres, ['-D', data, ...all], {
    ...runAs(user),
    cwd: data,
    env: serverEnvironment(),
    detached: true,
    windowsHide: true,
    stdio: ['ignore', output.fd, output.fd],
  });
  let ended: string | null = null;
  child.once('error', (error) => (ended = error.message));
  child.once('exit', (code, signal) => (ended = `it ended with ${signal ?? String(code)}`));
  child.unref();
  await output.close();
  if (child.pid !== undefined) await onSpawn(child.pid);
  const deadline = performance.now() + READY_WITHIN_MS;
  for (;;) {
    const found = await postmasterOf(data);
    if (found?.ready && found.pid === child.pid) return found;
    if (ended !== null) throw failure(data, ended, await lastLines(log, from));
    if (performance.now() > deadline) {
      child.kill('SIGINT');
      throw failure(data, 'it was not ready after two minutes', await lastLines(log, from));
    }
    await wait(POLL_MS);
  }
}

/** Ends all connections and stops the server; when that takes a minute, at the price of a recovery at the next start. */
export async function stopPostmaster(data: string, pgCtl: () => Promise<string>): Promise<void> {
  const server = await postmasterOf(data);
  if (server === null) return;
  if (process.platform === 'win32') {
    await promisify(execFile)(await pgCtl(), ['stop', '-w', '-m', 'fast', '-D', data]);
    return;
  }
  signal(server.pid, 'SIGINT');
  if (await gone(server.pid, data, FAST_STOP_WITHIN_MS)) return;
  signal(server.pid, 'SIGQUIT');
  await gone(server.pid, data, FAST_STOP_WITHIN_MS);
}

/** Ends the server at once, as `pg_ctl stop -m immediate` does; the next start recovers. Not for Windows, which has no such signal. */
export async function killPostmaster(data: string): Promise<void> {
  const server = await postmasterOf(data);
  if (server === null) return;
  signal(server.pid, 'SIGQUIT');
  await gone(server.pid, data, FAST_STOP_WITHIN_MS);
}

async function gone(pid: number, data: string, withinMs: number): Promise<boolean> {
  const deadline = performance.now() + withinMs;
  while (await isServerOn(pid, data)) {
    if (performance.now() > deadline) return false;
    await wait(POLL_MS);
  }
  return true;
}

function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

async function isServerOn(pid: number, data: string): Promise<boolean> {
  if ((await identityOf(pid)) === null) return false;
  const words = await commandLine(pid);
  // Between fork and exec a child still bears its parent's words; a zombie bears none.
  return words === null ? process.platform === 'win32' : words.includes(` -D ${data} `);
}

/**
 * In a restarted container the number of the dead server is soon a living stranger's (even a thread's), and PostgreSQL would
 * refuse to start because of it. The file must not be removed: its last lines let PostgreSQL see whether children of the dead
 * server still use its memory. So it gets our own number, which PostgreSQL never takes for a rival, as its parent's.
 */
async function disarmStrangersPid(data: string): Promise<void> {
  const text = await readFile(pidFile(data), 'utf8').catch(() => '');
  const pid = Number(text.split('\n')[0]);
  if (!pid || (await identityOf(pid)) === null || (await isServerOn(pid, data))) return;
  await writeFile(pidFile(data), text.replace(/^\d+/, String(process.pid)));
}

/** Returns the size of the log that is appended to. */
async function rotate(log: string): Promise<number> {
  const size = await stat(log).then(
    (found) => found.size,
    () => 0,
  );
  if (size < LOG_ROTATES_AT_BYTES) return size;
  await rename(log, `${log}.1`);
  return 0;
}

function pidFile(data: string): string {
  return path.join(data, 'postmaster.pid');
}

function failure(data: string, reason: string, log: string): ServerStartError {
  return new ServerStartError(
    `the embedded PostgreSQL on ${data} did not start: ${reason}${log && ` (its log ends with: ${log})`}`,
    log,
    {
      facts: { data, log },
      nextStep: nextStepFor(`${reason}\n${log}`),
    },
  );
}
