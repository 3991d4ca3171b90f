import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as wait } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { transformFile } from '@swc/core';
import pg from 'pg';
import type { EmbeddedPostgresOptions } from '../../../src/database/embedded/embedded-postgres.js';
import { packagedFolder } from '../../../src/database/embedded/platform-binaries.js';
import { identityOf } from '../../../src/database/embedded/process-identity.js';
import { findServerHome } from '../../../src/database/embedded/server-home.js';

export const asRoot = process.getuid?.() === 0;

/** An ordinary user that every Unix has; for tests that root runs. */
export const NOBODY = { uid: 65534, gid: 65534 };

/** Nothing of a test must survive a power cut. */
export const FAST = { fsync: 'off', full_page_writes: 'off' };

const SRC = fileURLToPath(new URL('../../../src/', import.meta.url));

const CLIENT = `
import { startEmbeddedPostgres } from './database/embedded/embedded-postgres.js';
const said = (what) => process.stdout.write(JSON.stringify(what) + '\\n');
process.on('SIGINT', () => undefined);
let leave = () => undefined;
process.on('SIGTERM', () => leave());
try {
  const server = await startEmbeddedPostgres({ ...JSON.parse(process.argv[2]), onStart: (line) => said({ line }) });
  leave = () => server.stop().then(() => process.exit(0));
  said({ url: server.url, startedHere: server.startedHere });
  setInterval(() => undefined, 60_000);
} catch (error) {
  said({ code: error.code ?? error.name, message: error.message });
}
`;

/** What a client process has said: where its server is, or why there is none. */
export interface Answer {
  readonly url?: string;
  readonly startedHere?: boolean;
  readonly code?: string;
  readonly message?: string;
  readonly line?: string;
}

export interface Client {
  readonly child: ChildProcess;
  readonly answer: Answer;
}

/** Folders and processes of one test; `clear` takes all away again. */
export class House {
  readonly #folders: string[] = [];
  readonly #children: ChildProcess[] = [];
  #module: Promise<string> | null = null;

  /** A fresh folder that every user can enter. */
  async folder(mode = 0o755): Promise<string> {
    const made = await mkdtemp(path.join(tmpdir(), 'kappa-embedded-'));
    this.#folders.push(made);
    await chmod(made, mode);
    return made;
  }

  /** Another process, of another user if one is given, that starts or joins the server of a folder and stays. */
  async client(options: EmbeddedPostgresOptions, user: { readonly uid?: number; readonly gid?: number } = {}): Promise<Client> {
    this.#module ??= this.#compile();
    const given = { packagedFolder: await packagedFolder(), serverSettings: FAST, ...options };
    const child = spawn(process.execPath, [await this.#module, JSON.stringify(given)], {
      ...user,
      cwd: '/',
      env: { PATH: process.env['PATH'], HOME: '/nonexistent' },
      // A group of its own: a terminal sends Ctrl-C to a whole group.
      detached: true,
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    this.#children.push(child);
    let answer: Answer = {};
    for await (const text of createInterface({ input: child.stdout })) {
      answer = { ...answer, ...(JSON.parse(text) as Answer) };
      if (answer.url !== undefined || answer.code !== undefined) break;
    }
    return { child, answer };
  }

  async clear(): Promise<void> {
    for (const child of this.#children) {
      if (child.exitCode !== null || child.signalCode !== null) continue;
      child.kill('SIGKILL');
      await once(child, 'exit');
    }
    for (const folder of this.#folders) {
      for (const name of [folder, ...(await readdir(folder)).map((child) => path.join(folder, child))]) {
        const home = await findServerHome(name).catch(() => null);
        if (home === null) continue;
        const pid = await serverPid(name).catch(() => 0);
        if (pid > 0) await untilGone(pid);
        if (home.folder !== home.dataDir) await rm(home.folder, { recursive: true, force: true });
      }
      await rm(folder, { recursive: true, force: true, maxRetries: 5 });
    }
  }

  /** Our source as JavaScript in a place that every user can read, wherever this repository is. */
  async #compile(): Promise<string> {
    const target = await this.folder();
    const files = (await readdir(path.join(SRC, 'database/embedded'))).map((name) => `database/embedded/${name}`);
    for (const file of ['kernel/errors.ts', ...files]) {
      const { code } = await transformFile(path.join(SRC, file), {
        swcrc: false,
        jsc: { target: 'es2022', parser: { syntax: 'typescript' } },
      });
      const made = path.join(target, file.replace(/\.ts$/, '.js'));
      await mkdir(path.dirname(made), { recursive: true });
      await writeFile(made, code);
    }
    await writeFile(path.join(target, 'package.json'), '{ "type": "module" }');
    await writeFile(path.join(target, 'client.js'), CLIENT);
    return path.join(target, 'client.js');
  }
}

export async function serverPid(dataDir: string): Promise<number> {
  const home = await findServerHome(dataDir);
  return Number((await readFile(path.join(home?.folder ?? dataDir, 'data', 'postmaster.pid'), 'utf8')).split('\n')[0]);
}

export async function isRunning(pid: number): Promise<boolean> {
  return (await identityOf(pid)) !== null;
}

export async function untilGone(pid: number): Promise<void> {
  while (await isRunning(pid)) await wait(20);
}

export async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
}

export async function ask(url: string | undefined, statement: string): Promise<unknown[]> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query(statement)).rows as unknown[];
  } finally {
    await client.end();
  }
}
