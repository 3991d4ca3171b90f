import { rm } from 'node:fs/promises';
import path from 'node:path';
import { withFolderLock } from './folder-lock.js';
import { announce, living } from './presence.js';

/** Where the lock and the clients of the server in `folder` stand; the watchdog looks there as well. */
export function registerFolders(folder: string): { readonly lock: string; readonly clients: string } {
  return { lock: path.join(folder, 'lock'), clients: path.join(folder, 'clients') };
}

/** Who uses a server. The first client starts it, the last one out stops it; both decide under the lock of its folder. */
export class ClientRegister {
  readonly #clients: string;
  readonly #lock: string;

  constructor(folder: string) {
    const { lock, clients } = registerFolders(folder);
    this.#lock = lock;
    this.#clients = clients;
  }

  /**
   * Runs `work` while no other process starts or stops the server.
   * @throws KAPPA_EMBEDDED_LOCKED when another one does so for minutes
   * @throws ENOENT when the folder is gone
   */
  locked<T>(work: () => Promise<T>): Promise<T> {
    return withFolderLock(this.#lock, work);
  }

  /** Returns the file that stands for this client. */
  enter(): Promise<string> {
    return announce(this.#clients);
  }

  /** Takes a client out and returns how many living ones are left. */
  async leave(file: string): Promise<number> {
    await rm(file, { force: true });
    return (await living(this.#clients)).length;
  }
}
