import { execFile, spawn } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { freePort } from '../support/free-port.js';
import { environment, listening, removeWithData, root } from './processes.js';

const run = promisify(execFile);
/** `nobody`, who exists everywhere. */
export const ORDINARY_USER = 65_534;

/**
 * What somebody has after `git clone`: the tracked files (and new ones, so that the test can run before a commit) below a folder
 * that only its owner may enter, as a home directory is.
 */
export class FreshClone {
  private readonly dataDirs = new Set<string>();

  private constructor(
    private readonly home: string,
    readonly folder: string,
  ) {}

  static async make(): Promise<FreshClone> {
    const home = mkdtempSync(join(tmpdir(), 'home-'));
    const folder = join(home, 'nest-kappa');
    const { stdout } = await run('git', ['ls-files', '--cached', '--others', '--exclude-standard', '-z'], {
      cwd: root,
      maxBuffer: 16 * 1024 * 1024,
    });
    for (const file of stdout.split('\0').filter((name) => name !== '' && existsSync(join(root, name)))) {
      mkdirSync(dirname(join(folder, file)), { recursive: true });
      copyFileSync(join(root, file), join(folder, file));
    }
    return new FreshClone(home, folder);
  }

  /** What `npm install` does after it has laid out the packages; laying them out again would test npm. */
  async install(): Promise<void> {
    symlinkSync(join(root, 'node_modules'), join(this.folder, 'node_modules'));
    await run('npm', ['run', 'prepare'], {
      cwd: this.folder,
      env: environment({}),
      timeout: 120_000,
      maxBuffer: 64 * 1024 * 1024,
    });
  }

  /** As if that user had cloned it. Links are not followed: what the packages link to belongs to others. */
  async giveTo(user: number): Promise<void> {
    await run('chown', ['-RhP', `${user}:${user}`, this.home]);
  }

  /** Runs the README's start command as a user until `use` has ended, then presses Ctrl-C. Returns what it printed. */
  async whileStarted(
    options: { readonly user: number | null; readonly dataDir: string },
    use: (url: string) => Promise<void>,
  ): Promise<string> {
    const port = await freePort();
    const dataDir = join(this.folder, options.dataDir);
    this.dataDirs.add(dataDir);
    const child = spawn('npm', ['start'], {
      cwd: this.folder,
      env: environment({ HOME: this.home, PORT: String(port), KAPPA_DATA_DIR: dataDir }),
      stdio: ['ignore', 'pipe', 'pipe'],
      // A group of its own, which gets the signal as a whole, as a terminal gives it.
      detached: true,
      ...(options.user === null ? {} : { uid: options.user, gid: options.user }),
    });
    let printed = '';
    child.stdout.on('data', (chunk: Buffer) => (printed += chunk.toString()));
    child.stderr.on('data', (chunk: Buffer) => (printed += chunk.toString()));
    const ended = new Promise<void>((resolve) => child.once('close', () => resolve()));
    const url = `http://localhost:${port}`;
    try {
      await listening(url, () => {
        if (child.exitCode !== null) throw new Error(`npm start ended with code ${child.exitCode}`);
      });
      await use(url);
    } catch (error) {
      throw new Error(`${String(error)}\n${printed}`, { cause: error });
    } finally {
      if (child.pid !== undefined && child.exitCode === null) process.kill(-child.pid, 'SIGINT');
      await ended;
    }
    return printed;
  }

  /** The names that a module exports, imported by a process of its own. */
  async importsOf(file: string): Promise<readonly string[]> {
    const script = `console.log(JSON.stringify(Object.keys(await import(${JSON.stringify(pathToFileURL(file).href)}))))`;
    const { stdout } = await run(process.execPath, ['--input-type=module', '--eval', script], {
      cwd: this.folder,
      env: environment({}),
    });
    return JSON.parse(stdout) as readonly string[];
  }

  remove(): void {
    removeWithData(this.home, [...this.dataDirs]);
  }
}
