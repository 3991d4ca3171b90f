import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { transform } from '@swc/core';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const RELATIVE_IMPORT = /(?:\bfrom|\bimport)\s*\(?\s*['"](\.{1,2}\/[^'"]+\.js)['"]/g;

/**
 * Processes that run a test's TypeScript file against our source as it stands. It is compiled once, with what it imports, so
 * that sixteen of them start in about a second: each compiling for itself would take two seconds of CPU.
 */
export class SourceProcesses {
  readonly #children: ChildProcess[] = [];

  private constructor(
    private readonly folder: string,
    private readonly entry: string,
  ) {}

  static async compile(file: URL): Promise<SourceProcesses> {
    const folder = await mkdtemp(path.join(tmpdir(), 'kappa-processes-'));
    await writeFile(path.join(folder, 'package.json'), '{ "type": "module" }');
    await symlink(path.join(ROOT, 'node_modules'), path.join(folder, 'node_modules'));
    const entry = path.relative(ROOT, fileURLToPath(file));
    const pending = [entry];
    for (const seen = new Set<string>(); pending.length > 0;) {
      const source = pending.pop() ?? '';
      if (seen.has(source)) continue;
      seen.add(source);
      pending.push(...(await compileFile(folder, source)));
    }
    return new SourceProcesses(folder, path.join(folder, scriptOf(entry)));
  }

  /** Starts one and waits for its first message, which `said` is told. */
  async start(
    env: Readonly<Record<string, string>>,
    said: (message: unknown) => void = () => undefined,
  ): Promise<ChildProcess> {
    const child = fork(this.entry, { env: { ...process.env, ...env }, execArgv: [] });
    this.#children.push(child);
    const ended = once(child, 'exit').then(([code]) => {
      throw new Error(`${path.basename(this.entry)} ended with ${String(code)} before it was ready`);
    });
    const [message] = await Promise.race([once(child, 'message'), ended]);
    said(message);
    ended.catch(() => undefined);
    return child;
  }

  /** Kills those that still run, and takes the compiled files away. */
  async clear(): Promise<void> {
    for (const child of this.#children) {
      if (child.exitCode !== null || child.signalCode !== null) continue;
      child.kill('SIGKILL');
      await once(child, 'exit');
    }
    await rm(this.folder, { recursive: true, force: true });
  }
}

/** What the process says next. */
export async function answerOf<Answer>(child: ChildProcess): Promise<Answer> {
  const [answer] = (await once(child, 'message')) as [Answer];
  return answer;
}

/** Compiles one file and returns the files of ours that it imports. */
async function compileFile(folder: string, source: string): Promise<readonly string[]> {
  const { code } = await transform(await readFile(path.join(ROOT, source), 'utf8'), {
    filename: source,
    swcrc: false,
    module: { type: 'es6' },
    jsc: {
      target: 'es2022',
      keepClassNames: true,
      parser: { syntax: 'typescript', decorators: true },
      transform: { legacyDecorator: true, decoratorMetadata: true },
    },
  });
  const target = path.join(folder, scriptOf(source));
  await mkdir(path.dirname(target), { recursive: true });
  await writeFile(target, code);
  return [...code.matchAll(RELATIVE_IMPORT)]
    .map(([, specifier = '']) => path.join(path.dirname(source), specifier.replace(/\.js$/, '.ts')))
    .filter((file) => existsSync(path.join(ROOT, file)));
}

function scriptOf(source: string): string {
  return source.replace(/\.ts$/, '.js');
}
