import { EventLoopBeat } from './event-loop-beat.js';
import { Health, type LiveReport, type ReadyReport } from './health.js';

/** One thing that readiness asks: its reasons to be unready, none when all is well. An error is a reason. */
export interface ReadinessCheck {
  /** `the database` */
  readonly name: string;
  check(): Promise<readonly string[]>;
}

export interface HealthCheckOptions {
  /** A check that takes longer counts as failed. Default 2,000. */
  readonly checkTimeoutMs?: number;
  /** A heartbeat that is later means that the event loop stands still. Default 10,000. */
  readonly maxEventLoopDelayMs?: number;
}

/** Health of a started application. */
export class HealthChecks extends Health {
  readonly #maxDelayMs: number;
  readonly #beat: EventLoopBeat;
  #asked: Promise<ReadyReport> | null = null;
  #stopping = false;

  constructor(
    private readonly checks: readonly ReadinessCheck[],
    private readonly options: HealthCheckOptions = {},
  ) {
    super();
    this.#maxDelayMs = options.maxEventLoopDelayMs ?? 10_000;
    // Some of them within what is allowed, but not more than needed: each wakes a process that is at rest.
    this.#beat = new EventLoopBeat(Math.max(1_000, this.#maxDelayMs / 4));
  }

  start(): void {
    this.#beat.start();
  }

  /** From now on it is not ready: whoever balances load sends it nothing more while it ends what it has. */
  leave(): void {
    this.#stopping = true;
  }

  async stop(): Promise<void> {
    this.leave();
    this.#beat.stop();
    await this.#asked;
  }

  live(): LiveReport {
    const { delayMs } = this.#beat;
    const live = delayMs <= this.#maxDelayMs;
    return {
      live,
      eventLoopDelayMs: delayMs,
      reasons: live ? [] : [`the event loop stood still for ${Math.round(delayMs / 1_000)} s`],
    };
  }

  /** Who asks while another asks gets the same answer: probes of a slow database do not pile up. */
  async ready(): Promise<ReadyReport> {
    if (this.#stopping) return { ready: false, reasons: ['it stops'] };
    return (this.#asked ??= this.#ask().finally(() => (this.#asked = null)));
  }

  async #ask(): Promise<ReadyReport> {
    const { checkTimeoutMs = 2_000 } = this.options;
    const found = await Promise.all(this.checks.map((check) => reasonsOf(check, checkTimeoutMs)));
    const reasons = found.flat();
    return { ready: reasons.length === 0, reasons };
  }
}

async function reasonsOf(check: ReadinessCheck, timeoutMs: number): Promise<readonly string[]> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<readonly string[]>((resolve) => {
    timer = setTimeout(() => resolve([`${check.name} does not answer within ${timeoutMs / 1_000} s`]), timeoutMs);
  });
  const asked = check.check().catch((error: unknown) => [`${check.name} does not answer: ${reasonOf(error)}`]);
  try {
    return await Promise.race([asked, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** The code alone: a probe is often open to more people than the log, and messages name hosts. */
function reasonOf(error: unknown): string {
  if (error instanceof Error && 'code' in error && typeof error.code === 'string') return error.code;
  return error instanceof Error ? error.name : 'unknown error';
}
