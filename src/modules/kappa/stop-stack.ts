import { KappaError } from '../../kernel/errors.js';

interface Step {
  readonly name: string;
  readonly stop: () => Promise<void>;
  readonly underWay: () => readonly string[];
}

/** What a part gets that is stopped after the limit has run out: enough to close what is idle. */
const LAST_CALL_MS = 1_000;

/** Stops what was started, last first, once; one that fails or does not end keeps the others from nothing. */
export class StopStack {
  readonly #steps: Step[] = [];
  #running: Promise<void> | null = null;

  /** `underWay` says what the part waits for, in words, when it is asked while it stops. */
  add(name: string, stop: () => Promise<void>, underWay: () => readonly string[] = () => []): void {
    this.#steps.push({ name, stop, underWay });
  }

  /**
   * Waits no longer than `limitMs` for all together; without it for as long as it takes.
   * @throws KAPPA_STOP_TIMEOUT that names what was still under way; else the first error, when all have been tried
   */
  run({ limitMs }: { readonly limitMs?: number } = {}): Promise<void> {
    return (this.#running ??= this.#run(limitMs ?? null));
  }

  async #run(limitMs: number | null): Promise<void> {
    const errors: unknown[] = [];
    const late: string[] = [];
    const deadline = limitMs === null ? null : performance.now() + limitMs;
    for (const { name, stop, underWay } of this.#steps.toReversed()) {
      const stopped = stop().catch((error: unknown) => void errors.push(error));
      const leftMs = deadline === null ? null : Math.max(deadline - performance.now(), Math.min(LAST_CALL_MS, limitMs ?? 0));
      if (await endsWithin(stopped, leftMs)) continue;
      const details = underWay();
      late.push(details.length === 0 ? name : `${name} (${details.join('; ')})`);
    }
    if (late.length > 0) throw stopTimeout(limitMs ?? 0, late);
    if (errors.length > 0) throw errors[0];
  }
}

/** Whether the work ends in time; it goes on when it does not. */
async function endsWithin(work: Promise<unknown>, ms: number | null): Promise<boolean> {
  if (ms === null) return work.then(() => true);
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<false>((resolve) => (timer = setTimeout(() => resolve(false), ms)));
  try {
    return await Promise.race([work.then(() => true), late]);
  } finally {
    clearTimeout(timer);
  }
}

function stopTimeout(limitMs: number, late: readonly string[]): KappaError {
  return new KappaError(
    'KAPPA_STOP_TIMEOUT',
    `the application did not stop within ${limitMs / 1_000} s; still under way: ${late.join(', ')}`,
    {
      facts: { limitMs, underWay: late },
      nextStep:
        'Nothing is lost: what was not committed is done again at the next start. Raise shutdownTimeoutMs if it needs longer.',
    },
  );
}
