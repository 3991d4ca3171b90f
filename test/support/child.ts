import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

const TYPESCRIPT = fileURLToPath(new URL('./typescript.mjs', import.meta.url));
const ENDS_WITH_PARENT = fileURLToPath(new URL('./ends-with-parent.mjs', import.meta.url));

/** A process of a test: real, killed for real, told what to do and asked for what it saw by messages. */
export class Child<Answer> {
  readonly #exited: Promise<unknown>;

  private constructor(readonly process: ChildProcess) {
    this.#exited = once(process, 'exit');
  }

  /** Starts a TypeScript file and waits for its `ready` message. @throws with what it printed when it ends before */
  static async start<Answer = unknown>(file: URL, env: Readonly<Record<string, string>>): Promise<Child<Answer>> {
    const child = fork(fileURLToPath(file), [], {
      execArgv: ['--import', ENDS_WITH_PARENT, '--import', TYPESCRIPT],
      env: { ...process.env, ...env },
      stdio: ['ignore', 'inherit', 'pipe', 'ipc'],
    });
    let printed = '';
    child.stderr?.on('data', (chunk: Buffer) => (printed += chunk.toString()));
    const ended = once(child, 'exit').then(() => {
      throw new Error(`${file.pathname} ended before it was ready: ${printed}`);
    });
    await Promise.race([once(child, 'message'), ended]);
    ended.catch(() => undefined);
    return new Child<Answer>(child);
  }

  /** Sends SIGTERM and returns the answer that the process sends before it ends, or null when it sends none. */
  async finish(): Promise<Answer | null> {
    let answer: Answer | null = null;
    this.process.once('message', (message) => (answer = message as Answer));
    this.process.kill('SIGTERM');
    await this.#exited;
    return answer;
  }

  async kill(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    this.process.kill(signal);
    await this.#exited;
  }
}
