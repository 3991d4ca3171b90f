import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { PART, type Order, type Part, type Word } from '../actors/messages.js';
import { within } from './within.js';

export interface MemberHost {
  readonly part: Omit<Part, 'name' | 'incarnation'>;
  /** Told of what no fault excuses. */
  problem(text: string): void;
}

/** One process of a run, over its incarnations: killed, stopped, started anew. */
export class Member {
  #incarnation = 0;
  #child: ChildProcess | null = null;
  #ready: Promise<void> = Promise.resolve();
  /** Its end is our doing. */
  #expected = false;

  constructor(
    readonly name: string,
    /** A file of `actors/`, e.g. `writer`. */
    private readonly role: string,
    private readonly host: MemberHost,
  ) {}

  get isRunning(): boolean {
    return this.#child !== null && this.#child.exitCode === null && this.#child.signalCode === null;
  }

  /** Resolves when it works. */
  get ready(): Promise<void> {
    return this.#ready;
  }

  start(): Promise<void> {
    this.#incarnation += 1;
    this.#expected = false;
    const part: Part = { ...this.host.part, name: this.name, incarnation: this.#incarnation };
    const file = fileURLToPath(new URL(`../actors/${this.role}.process.js`, import.meta.url));
    const output = openSync(path.join(part.folder, `${this.name}.log`), 'a');
    const child = fork(file, [], {
      env: { ...process.env, [PART]: JSON.stringify(part), NO_COLOR: '1' },
      execArgv: ['--enable-source-maps'],
      stdio: ['ignore', output, output, 'ipc'],
    });
    closeSync(output);
    this.#child = child;
    child.on('message', (word: Word) => {
      if (word.said === 'problem') this.host.problem(`${this.name}: ${word.text}`);
    });
    child.on('exit', (code, signal) => {
      if (!this.#expected) this.host.problem(`${this.name} ended by itself with ${signal ?? String(code)}`);
    });
    const ended = once(child, 'exit');
    this.#ready = Promise.race([once(child, 'message'), ended]).then(() => undefined);
    return this.#ready;
  }

  async kill(): Promise<void> {
    await this.#end('SIGKILL');
  }

  /** At the end of the run's own process, which cannot wait. */
  abandon(): void {
    if (this.isRunning) this.#child?.kill('SIGKILL');
  }

  signal(signal: 'SIGSTOP' | 'SIGCONT'): void {
    if (this.isRunning) this.#child?.kill(signal);
  }

  tell(order: Order): void {
    if (this.isRunning && this.#child?.connected) this.#child.send(order, () => undefined);
  }

  /** Resolves with the next message of that kind, or when the process ends. */
  async said(what: Word['said']): Promise<void> {
    const child = this.#child;
    if (!child || !this.isRunning) return;
    await new Promise<void>((resolve) => {
      child.on('message', (word: Word) => {
        if (word.said === what) resolve();
      });
      child.once('exit', () => resolve());
    });
  }

  /** Lets it end its work. False when it has not done so in time, and was killed. */
  async finish(withinMs: number): Promise<boolean> {
    const child = this.#child;
    if (!child || !this.isRunning) return true;
    this.#expected = true;
    const ended = once(child, 'exit');
    this.tell({ do: 'finish' });
    if (!(await within(withinMs, ended))) {
      await this.#end('SIGKILL');
      return false;
    }
    if (child.exitCode !== 0) this.host.problem(`${this.name} finished with ${child.signalCode ?? String(child.exitCode)}`);
    return true;
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    const child = this.#child;
    if (!child || !this.isRunning) return;
    this.#expected = true;
    const ended = once(child, 'exit');
    child.kill(signal);
    await ended;
  }
}
