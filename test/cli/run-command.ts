import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { PassThrough } from 'node:stream';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import type * as Program from '../../src/cli/run-program.js';

export const root = fileURLToPath(new URL('../..', import.meta.url));
/** The fixture: an application in both forms, `kappa.config.ts` and a Nest module. */
export const appFolder = fileURLToPath(new URL('app', import.meta.url));
const bareFolder = tmpdir();
const BUILT = new URL('../../dist/cli/', import.meta.url);
const BIN = fileURLToPath(new URL('bin.js', BUILT));

export interface Ran {
  /** Null after a signal. */
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  /** Default: a folder without configuration, for the database is enough for most; {@link appFolder} has one. */
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** As a process of its own: for what only a process has, as its console, signals, warnings and loader. Default false. */
  readonly process?: boolean;
  /** Runs this command line on a terminal (by util-linux's `script`), where stdout and stderr are one. */
  readonly terminal?: string;
  /** Typed at the terminal when it asks. */
  readonly answer?: string;
}

/** The built command as a process of its own. */
export function start(
  args: readonly string[],
  { cwd = bareFolder, env = {}, terminal, answer }: RunOptions = {},
): ChildProcessWithoutNullStreams {
  const { NO_COLOR: _, FORCE_COLOR: __, ...inherited } = process.env;
  const child = terminal
    ? spawn('script', ['-qec', `${process.execPath} ${BIN} ${terminal}`, '/dev/null'], {
        cwd,
        env: { ...inherited, TERM: 'xterm', ...env },
      })
    : spawn(process.execPath, [BIN, ...args], { cwd, env: { ...inherited, ...env } });
  if (answer !== undefined) {
    let shown = '';
    child.stdout.on('data', (chunk: Buffer) => {
      const asked = shown.includes('(y/N)');
      shown += chunk.toString();
      if (!asked && shown.includes('(y/N)')) child.stdin.write(answer);
    });
  }
  return child;
}

export async function finished(child: ChildProcessWithoutNullStreams): Promise<Ran> {
  const printed = { stdout: '', stderr: '' };
  child.stdout.setEncoding('utf8').on('data', (text: string) => (printed.stdout += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (printed.stderr += text));
  const [code] = (await once(child, 'close')) as [number | null];
  return { code, ...printed };
}

/**
 * Runs the built command to its end: in this process, for one of its own takes a second of CPU to load the same again, or as a
 * process where that is asked for.
 */
export async function run(args: readonly string[], options: RunOptions = {}): Promise<Ran> {
  if (options.process === true || options.terminal !== undefined) return finished(start(args, options));
  const { runProgram } = (await import(new URL('run-program.js', BUILT).href)) as typeof Program;
  const [stdout, stderr] = [new PassThrough(), new PassThrough()];
  const printed = [text(stdout), text(stderr)] as const;
  const interrupted = new AbortController().signal;
  const restore = surround(options.cwd ?? bareFolder, options.env ?? {});
  try {
    const code = await runProgram(args, { stdout, stderr, color: false, interrupted });
    stdout.end();
    stderr.end();
    return { code, stdout: await printed[0], stderr: await printed[1] };
  } finally {
    restore();
  }
}

/** Goes into the folder and sets the environment, as the start of a process would. */
function surround(cwd: string, env: Readonly<Record<string, string | undefined>>): () => void {
  const before = { folder: process.cwd(), env: process.env };
  const named = Object.entries({ ...process.env, ...env }).filter(([, value]) => value !== undefined);
  process.env = Object.fromEntries(named);
  process.chdir(cwd);
  return () => {
    process.env = before.env;
    process.chdir(before.folder);
  };
}

/** Runs with `--json` and parses all of stdout as one document. */
export async function json<Document>(
  args: readonly string[],
  options: RunOptions = {},
): Promise<Ran & { readonly document: Document }> {
  const ran = await run([...args, '--json'], options);
  try {
    return { ...ran, document: JSON.parse(ran.stdout) as Document };
  } catch (error) {
    throw new Error(`not one JSON document (exit ${ran.code}):\n${ran.stdout}\n${ran.stderr}`, { cause: error });
  }
}

/** Parses every line of stdout. */
export function lines<Line>({ stdout }: Ran): readonly Line[] {
  return stdout
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Line);
}
