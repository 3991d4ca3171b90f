import { execFile, spawn } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { freePort } from '../support/free-port.js';
import { environment, listening, removeWithData, root } from './processes.js';

const run = promisify(execFile);

/**
 * An application as `nest new` of one major version writes it (less its linter and formatter, which take long to install), with
 * the packed package installed from its tarball, and the README's module in place of the generated one.
 */
export class StockApp {
  private constructor(
    readonly folder: string,
    private readonly dataDir: string,
    private readonly dataDirOfTests: string,
  ) {}

  /** Install scripts are off, as newer package managers have them. */
  static async install(template: 'nest-11' | 'nest-12'): Promise<StockApp> {
    const folder = mkdtempSync(join(tmpdir(), `${template}-`));
    cpSync(join(root, 'test/packaging/apps', template), folder, { recursive: true });
    writeFileSync(join(folder, 'src/app.module.ts'), ownAppOfReadme());
    for (const spec of ['accounts.spec.ts', 'kit.spec.ts'])
      cpSync(join(root, 'test/packaging/apps', spec), join(folder, 'src', spec));
    const { stdout } = await run('npm', ['pack', '--ignore-scripts', '--json', '--pack-destination', folder], {
      cwd: root,
      env: environment({}),
    });
    const [packed] = JSON.parse(stdout) as readonly { readonly filename: string }[];
    if (!packed) throw new Error(`npm pack made nothing: ${stdout}`);
    const app = new StockApp(folder, join(folder, 'data'), join(folder, 'data-of-tests'));
    mkdirSync(app.dataDir);
    const packages = [`./${packed.filename}`, 'typeorm', 'class-validator', 'class-transformer'];
    await app.run('npm', ['install', '--ignore-scripts', '--prefer-offline', '--no-audit', '--no-fund', ...packages]);
    return app;
  }

  /** Runs a command to its end in the application's folder. @throws with all that it printed when it fails */
  async run(command: string, args: readonly string[]): Promise<string> {
    try {
      const { stdout, stderr } = await run(command, args, {
        cwd: this.folder,
        env: environment({ KAPPA_DATA_DIR: this.dataDirOfTests }),
        timeout: 240_000,
        maxBuffer: 64 * 1024 * 1024,
      });
      return stdout + stderr;
    } catch (error) {
      const { stdout = '', stderr = '' } = error as { readonly stdout?: string; readonly stderr?: string };
      throw new Error(`${command} ${args.join(' ')} failed\n${stdout}\n${stderr}`, { cause: error });
    }
  }

  /** Runs a program of a package that the application installed. */
  async bin(name: string, ...args: readonly string[]): Promise<string> {
    return this.run(join(this.folder, 'node_modules/.bin', name), args);
  }

  /** Starts what was built, calls `use` as soon as it listens, and stops it as Ctrl-C does. */
  async whileRunning(use: (url: string) => Promise<void>): Promise<void> {
    const port = await freePort();
    const child = spawn(process.execPath, ['dist/main.js'], {
      cwd: this.folder,
      env: environment({ KAPPA_DATA_DIR: this.dataDir, PORT: String(port) }),
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let printed = '';
    child.stdout.on('data', (chunk: Buffer) => (printed += chunk.toString()));
    child.stderr.on('data', (chunk: Buffer) => (printed += chunk.toString()));
    const ended = new Promise<void>((resolve) => child.once('close', () => resolve()));
    const url = `http://localhost:${port}`;
    try {
      await listening(url, () => {
        if (child.exitCode !== null) throw new Error(`the application ended with code ${child.exitCode}\n${printed}`);
      });
      await use(url);
    } catch (error) {
      throw new Error(`${String(error)}\n${printed}`, { cause: error });
    } finally {
      child.kill('SIGINT');
      await ended;
    }
  }

  remove(): void {
    removeWithData(this.folder, [this.dataDir, this.dataDirOfTests]);
  }
}

/** The block that the README offers to copy. */
function ownAppOfReadme(): string {
  const readme = readFileSync(join(root, 'README.md'), 'utf8');
  const block = /<!-- run: own-app -->\n```ts\n([\s\S]*?)```/.exec(readme)?.[1];
  if (block === undefined) throw new Error('README.md has no block marked <!-- run: own-app -->');
  return block;
}
