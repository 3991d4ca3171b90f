import { readFileSync } from 'node:fs';
import { mkdir, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { KappaError } from '../../kernel/errors.js';

const LOCK_WAIT_MS = 60_000;
const POLL_MS = 25;

/**
 * Who uses a server: one file per client, named `<pid>.<n>`. The first client starts the server, the last one out stops it;
 * both decide under a lock that is a folder (making one is atomic for us and for the watchdog's shell alike).
 */
export class ClientRegister {
  readonly #clients: string;
  readonly #lock: string;

  constructor(private readonly folder: string) {
    this.#clients = path.join(folder, 'clients');
    this.#lock = path.join(folder, 'lock');
  }

  /** Runs `work` while no other process starts or stops the server. A holder that died is put aside. */
  async locked<T>(work: () => Promise<T>): Promise<T> {
    await this.#take();
    try {
      return await work();
    } finally {
      await rm(this.#lock, { recursive: true, force: true });
    }
  }

  /** Returns the file that stands for this client. */
  async enter(): Promise<string> {
    await mkdir(this.#clients, { recursive: true });
    for (let n = 0; ; n += 1) {
      const file = path.join(this.#clients, `${process.pid}.${n}`);
      const made = await writeFile(file, '', { flag: 'wx' }).then(
        () => true,
        () => false,
      );
      if (made) return file;
    }
  }

  /** Takes a client out and returns how many living ones are left. */
  async leave(file: string): Promise<number> {
    await rm(file, { force: true });
    let living = 0;
    for (const name of await readdir(this.#clients).catch(() => [])) {
      if (isAlive(Number.parseInt(name, 10))) living += 1;
      else await rm(path.join(this.#clients, name), { force: true });
    }
    return living;
  }

  async #take(): Promise<void> {
    await mkdir(this.folder, { recursive: true });
    const end = Date.now() + LOCK_WAIT_MS;
    for (;;) {
      const made = await mkdir(this.#lock).then(
        () => true,
        () => false,
      );
      if (made) return writeFile(path.join(this.#lock, 'pid'), String(process.pid));
      await this.#clearDead();
      if (Date.now() > end) {
        throw new KappaError('KAPPA_EMBEDDED_LOCKED', `${this.#lock} is held by another process`, {
          nextStep: 'Stop that process, or remove the folder when it is gone.',
        });
      }
      await wait(POLL_MS);
    }
  }

  /** A lock without a pid is being taken right now, unless it is old: then its holder died in between. */
  async #clearDead(): Promise<void> {
    const holder = await readFile(path.join(this.#lock, 'pid'), 'utf8').then(Number, () => null);
    const age = await stat(this.#lock).then(
      ({ mtimeMs }) => Date.now() - mtimeMs,
      () => 0,
    );
    const dead = holder === null || Number.isNaN(holder) ? age > 2_000 : !isAlive(holder);
    if (dead) await rm(this.#lock, { recursive: true, force: true });
  }
}

/** True when the process exists, also when it is another user's. */
export function isAlive(pid: number): boolean {
  if (!Number.isInteger(pid) || pid <= 0) return false;
  try {
    process.kill(pid, 0);
    return !isZombie(pid);
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM';
  }
}

/** A process that ended and that nobody has waited for: in containers whose first process reaps none. */
function isZombie(pid: number): boolean {
  if (process.platform !== 'linux') return false;
  try {
    return /^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
}
