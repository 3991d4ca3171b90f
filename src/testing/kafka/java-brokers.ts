import { mkdir, mkdtemp, realpath } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { identityOf } from '../../database/embedded/process-identity.js';
import { KappaError } from '../../kernel/errors.js';
import { BrokerKeeper } from './broker-keeper.js';
import { endOfLog, logSize } from './broker-log.js';
import { kafkaCommand, layOutCluster, type JavaClusterOptions } from './java-cluster.js';
import { brokerOf, didNotStart, isDown } from './kafka-errors.js';
import type { StartedKafka } from './started-kafka.js';
import { untilReady } from './until-ready.js';

const POLL_MS = 10;
const STARTS_AT_MOST = 3;
const STOP_WITHIN_MS = 30_000;

export interface JavaBrokersOptions extends JavaClusterOptions {
  /** A folder to keep. Default: a temporary one. */
  readonly dataDir?: string;
  readonly timeoutMs: number;
  /** More flags for the brokers alone, not for what formats their data. Default: none. */
  readonly brokerFlags?: readonly string[];
}

/** Brokers as processes of this machine, started with Java. @throws KAPPA_KAFKA_START with the end of a broker's log */
export async function startJavaBrokers(options: JavaBrokersOptions): Promise<StartedKafka> {
  for (let starts = 1; ; starts++) {
    const brokers = await JavaBrokers.prepare(options);
    try {
      await brokers.start();
      return brokers;
    } catch (error) {
      await brokers.stop();
      // Somebody else has taken one of the ports since it was looked at.
      const lost = error instanceof KappaError && error.message.includes('Address already in use');
      if (!lost || starts === STARTS_AT_MOST) throw error;
    }
  }
}

class JavaBrokers implements StartedKafka {
  readonly source = 'java';
  readonly #pids: (number | null)[];
  /** Where in its log the present life of each broker begins. */
  readonly #logFrom: number[];
  #stopped: Promise<void> | null = null;

  private constructor(
    private readonly options: JavaBrokersOptions,
    private readonly folder: string,
    readonly brokers: readonly string[],
    private readonly keeper: BrokerKeeper,
  ) {
    this.#pids = brokers.map(() => null);
    this.#logFrom = brokers.map(() => 0);
  }

  static async prepare(options: JavaBrokersOptions): Promise<JavaBrokers> {
    const { dataDir, flags = [], brokerFlags = [] } = options;
    const folder = dataDir === undefined ? await temporaryFolder() : await keptFolder(dataDir);
    const command = [...kafkaCommand(folder, { ...options, flags: [...flags, ...brokerFlags] }), 'kafka.Kafka'];
    const keeper = new BrokerKeeper({ folder, command, remove: dataDir === undefined });
    try {
      return new JavaBrokers(options, folder, await layOutCluster(folder, options), keeper);
    } catch (error) {
      await keeper.end();
      throw error;
    }
  }

  get pids(): readonly (number | null)[] {
    return [...this.#pids];
  }

  async start(): Promise<void> {
    await Promise.all(this.brokers.map((_, n) => this.#spawn(n)));
    await this.#untilReady();
  }

  async kill(broker: number): Promise<void> {
    const pid = brokerOf(this.#pids, broker);
    if (pid === null) return;
    signal(pid, 'SIGKILL');
    await gone(pid);
    this.#pids[broker] = null;
  }

  async restart(broker: number): Promise<void> {
    await this.kill(broker);
    await this.#spawn(broker);
    await this.#untilReady();
  }

  async pause(broker: number): Promise<void> {
    signal(this.#running(broker), 'SIGSTOP');
  }

  async resume(broker: number): Promise<void> {
    signal(this.#running(broker), 'SIGCONT');
  }

  stop(): Promise<void> {
    return (this.#stopped ??= this.#stop());
  }

  async #stop(): Promise<void> {
    if (this.options.dataDir !== undefined) {
      await Promise.all(this.#pids.map((pid) => (pid === null ? Promise.resolve() : finished(pid))));
    }
    await this.keeper.end();
    this.#pids.fill(null);
  }

  async #spawn(n: number): Promise<void> {
    this.#logFrom[n] = await logSize(this.#log(n));
    this.#pids[n] = await this.keeper.start(n);
  }

  async #untilReady(): Promise<void> {
    const { timeoutMs } = this.options;
    const up = this.#pids.flatMap((pid, n) => (pid === null ? [] : [n]));
    await untilReady({
      brokers: this.brokers,
      count: up.length,
      timeoutMs,
      check: async () => {
        for (const n of up) await this.#checkAlive(n);
      },
      late: (reason) => this.#failure(up[0] ?? 0, `the brokers were not ready within ${timeoutMs} ms: ${reason}`),
    });
  }

  async #checkAlive(n: number): Promise<void> {
    const pid = this.#pids[n];
    if (pid == null || (await identityOf(pid)) !== null) return;
    this.#pids[n] = null;
    throw await this.#failure(n, `broker ${n} has ended`);
  }

  async #failure(n: number, reason: string): Promise<KappaError> {
    const log = await endOfLog(this.#log(n), this.#logFrom[n] ?? 0);
    return didNotStart(reason, log, { folder: this.folder, broker: n });
  }

  #log(n: number): string {
    return path.join(this.folder, `broker-${n}.log`);
  }

  #running(broker: number): number {
    const pid = brokerOf(this.#pids, broker);
    if (pid === null) throw isDown(broker);
    return pid;
  }
}

/** By its real path: that is how it stands in the words of the processes, by which the keeper knows them. */
async function temporaryFolder(): Promise<string> {
  return mkdtemp(path.join(await realpath(tmpdir()), 'kappa-kafka-'));
}

async function keptFolder(dataDir: string): Promise<string> {
  await mkdir(dataDir, { recursive: true });
  return realpath(dataDir);
}

/** Lets a broker write what it has, so that its next start need not look through it. */
async function finished(pid: number): Promise<void> {
  signal(pid, 'SIGCONT');
  signal(pid, 'SIGTERM');
  await gone(pid, STOP_WITHIN_MS);
}

async function gone(pid: number, withinMs = Infinity): Promise<void> {
  const deadline = performance.now() + withinMs;
  while ((await identityOf(pid)) !== null && performance.now() < deadline) await wait(POLL_MS);
}

function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}
