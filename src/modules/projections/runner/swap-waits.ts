import { Backoff } from '../../../database/backoff.js';
import type { KappaError } from '../../../kernel/errors.js';
import type { Build } from '../build.js';

const FIRST_MS = 500;
const MOST_MS = 30_000;

interface Wait {
  readonly backoff: Backoff;
  /** Holders that were told of. */
  readonly said: Set<string>;
  notBefore: number;
  text: string | null;
}

/**
 * When builds that swap by themselves may try again. Each try asks for the view's lock, and readers queue behind it: while somebody
 * holds the view, tries must be few. Builds of a group wait together.
 */
export class SwapWaits {
  readonly #waits = new Map<string, Wait>();

  /** `now`: milliseconds of a clock that never goes back. */
  constructor(private readonly now: () => number = () => performance.now()) {}

  isDue(build: Build): boolean {
    return this.now() >= (this.#waits.get(keyOf(build))?.notBefore ?? 0);
  }

  /** Why the last try did not swap; null where none was blocked. */
  textOf(build: Build): string | null {
    return this.#waits.get(keyOf(build))?.text ?? null;
  }

  /** Another process tries at this moment: waits as long as after a try of one's own, so that all together try seldom. */
  leaveToOther(build: Build): void {
    this.#next(build);
  }

  /** Waits after a blocked try. True when its holders were not told of before. */
  blocked(build: Build, error: KappaError): boolean {
    const wait = this.#next(build);
    wait.text = error.message;
    const holders = holdersOf(error);
    if (wait.said.has(holders)) return false;
    wait.said.add(holders);
    return true;
  }

  /** What was waited for has happened, or is wanted no more. */
  end(build: Build): void {
    this.#waits.delete(keyOf(build));
  }

  #next(build: Build): Wait {
    const key = keyOf(build);
    const wait = this.#waits.get(key) ?? {
      backoff: new Backoff({ firstMs: FIRST_MS, mostMs: MOST_MS }),
      said: new Set<string>(),
      notBefore: 0,
      text: null,
    };
    this.#waits.set(key, wait);
    wait.notBefore = this.now() + wait.backoff.next();
    return wait;
  }
}

function keyOf({ id, swapGroup }: Build): string {
  return swapGroup ?? String(id);
}

/** The same for one holder from try to try: how long its transaction has been open is left out. */
function holdersOf({ facts }: KappaError): string {
  const { holders } = facts as { readonly holders?: readonly { readonly pid: number; readonly query: string }[] };
  return JSON.stringify((holders ?? []).map(({ pid, query }) => [pid, query]));
}
