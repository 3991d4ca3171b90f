import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import type { Socket } from 'node:net';
import { createInterface } from 'node:readline';
import { KappaError } from '../../kernel/errors.js';

export interface KeeperOptions {
  /** Where each broker's `broker-<n>.properties` stands and its `broker-<n>.log` is written. */
  readonly folder: string;
  /** Program and arguments that start a broker, less the properties file. */
  readonly command: readonly string[];
  /** Whether the folder goes with the brokers. */
  readonly remove: boolean;
}

/**
 * Starts brokers on behalf of this process and ends them with it, however it ends: a shell in a session of its own, so that
 * Ctrl-C in a terminal reaches neither it nor them, that reads from a pipe which only this process holds. The system closes the
 * pipe also when this process is killed; the shell then kills the brokers and removes their folder. As the shell itself starts
 * them, there is no moment at which a broker runs that it does not know.
 */
export class BrokerKeeper {
  readonly #shell: ChildProcess;
  readonly #input: Socket;
  readonly #output: Socket;
  readonly #closed: Promise<unknown>;
  readonly #waiting: { readonly resolve: (pid: number) => void; readonly reject: (error: Error) => void }[] = [];
  #ended: Error | null = null;

  constructor({ folder, command, remove }: KeeperOptions) {
    const args = ['-c', SCRIPT, 'nest-kappa-kafka', folder, remove ? 'remove' : 'keep', ...command];
    this.#shell = spawn('/bin/sh', args, { cwd: '/', detached: true, stdio: ['pipe', 'pipe', 'ignore'] });
    this.#input = this.#shell.stdin as Socket;
    this.#output = this.#shell.stdout as Socket;
    this.#input.on('error', () => undefined);
    this.#closed = once(this.#shell, 'close').then(
      () => this.#end('it was ended'),
      (error: unknown) => this.#end(error instanceof Error ? error.message : String(error)),
    );
    createInterface(this.#output).on('line', (line) => this.#waiting.shift()?.resolve(Number(line)));
    // A program that forgets to stop its brokers can end, and they end with it.
    this.#shell.unref();
    this.#input.unref();
    this.#output.unref();
  }

  /** Starts broker `n` and returns the number of its process. @throws KAPPA_KAFKA_START when there is no shell to do so */
  async start(n: number): Promise<number> {
    if (this.#ended) throw this.#ended;
    this.#output.ref();
    try {
      return await new Promise<number>((resolve, reject) => {
        this.#waiting.push({ resolve, reject });
        this.#input.write(`${n}\n`);
      });
    } finally {
      if (this.#waiting.length === 0) this.#output.unref();
    }
  }

  /** Kills the brokers and waits until they are gone, with their folder where that is wanted. May be called twice. */
  async end(): Promise<void> {
    this.#shell.ref();
    this.#output.ref();
    this.#input.end();
    await this.#closed;
  }

  #end(reason: string): void {
    this.#ended = new KappaError('KAPPA_KAFKA_START', `the shell that keeps the brokers is gone: ${reason}`, {
      nextStep: 'Start brokers anew; /bin/sh is needed for it.',
    });
    for (const { reject } of this.#waiting.splice(0)) reject(this.#ended);
  }
}

/**
 * A number may be a stranger's by the time of the end, so that each is asked for its words: they name our folder.
 * `trap '' PIPE` keeps the shell at its post when its parent dies between a request and the answer.
 */
const SCRIPT = `
trap '' PIPE
folder=$1; remove=$2
shift 2
ours() {
  if [ -d /proc/self ]; then
    grep -qF "$folder/" "/proc/$1/cmdline" 2>/dev/null
  else
    case $(ps -ww -o args= -p "$1" 2>/dev/null) in *"$folder/"*) return 0 ;; esac
    return 1
  fi
}
pids=
while read -r n; do
  "$@" "$folder/broker-$n.properties" </dev/null >>"$folder/broker-$n.log" 2>&1 &
  pids="$pids $!"
  echo "$!"
done
for pid in $pids; do
  ours "$pid" && kill -KILL "$pid"
done
wait
[ "$remove" = remove ] && rm -rf "$folder"
`;
