import { spawn, type ChildProcess } from 'node:child_process';

export interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Longer than any run of directed tests, or of one seed, takes. */
const WITHIN_MS = 180_000;

/** The programs that are started here, each in a process group of its own, so that it ends with all that it has started. */
export class Processes {
  readonly #running = new Map<ChildProcess, Promise<unknown>>();
  #ended = false;

  /** Resolves when the program has ended, however it did. */
  run(program: string, args: readonly string[], cwd: string): Promise<Ended> {
    if (this.#ended) return Promise.reject(new Error('no program is started any more'));
    const child = spawn(program, args, {
      cwd,
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, NO_COLOR: '1' },
    });
    const texts = { stdout: '', stderr: '' };
    for (const name of ['stdout', 'stderr'] as const)
      child[name].setEncoding('utf8').on('data', (text: string) => (texts[name] += text));
    // A product without a guard may never come to an end.
    const late = setTimeout(() => {
      texts.stderr += `\n${program} did not end within ${WITHIN_MS / 1_000} s`;
      killGroup(child, 'SIGKILL');
    }, WITHIN_MS);
    const done = new Promise<Ended>((resolve, reject) => {
      child.once('error', reject);
      child.once('close', (code) => resolve({ code, ...texts }));
    }).finally(() => clearTimeout(late));
    this.#running.set(
      child,
      done.catch(() => undefined).finally(() => this.#running.delete(child)),
    );
    return done;
  }

  /** Ends all of them, and waits until they have ended. */
  async end(): Promise<void> {
    this.#ended = true;
    for (const child of this.#running.keys()) killGroup(child, 'SIGTERM');
    await Promise.all(this.#running.values());
  }
}

function killGroup({ pid }: ChildProcess, signal: NodeJS.Signals): void {
  try {
    if (pid !== undefined) process.kill(-pid, signal);
  } catch {
    // It has ended already.
  }
}
