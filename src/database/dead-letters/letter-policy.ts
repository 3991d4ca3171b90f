import { placeText, type LetterPlace } from './dead-letter.js';

/** What becomes of records that cannot be taken in. */
export interface DeadLetterOptions {
  /** How often a failing record is tried again, with growing pauses, before it is set aside. Default 3. */
  readonly retries?: number;
  /** Stop at the first record that fails, instead of setting it aside. Default false. */
  readonly halt?: boolean;
  /** Letters and followers of one owner; with more it stops. Default 1,000. */
  readonly maxLetters?: number;
}

export type ResolvedDeadLetterOptions = Readonly<Required<DeadLetterOptions>>;

const DEFAULTS: ResolvedDeadLetterOptions = Object.freeze({ retries: 3, halt: false, maxLetters: 1_000 });

/** The first that names a thing says it. */
export function letterOptions(...given: readonly (DeadLetterOptions | null | undefined)[]): ResolvedDeadLetterOptions {
  const first = <K extends keyof DeadLetterOptions>(name: K): ResolvedDeadLetterOptions[K] =>
    (given.find((options) => options?.[name] !== undefined)?.[name] ?? DEFAULTS[name]) as ResolvedDeadLetterOptions[K];
  return { retries: first('retries'), halt: first('halt'), maxLetters: first('maxLetters') };
}

export type Verdict =
  | { readonly what: 'again'; readonly waitMs: number }
  | { readonly what: 'aside'; readonly attempts: number }
  | { readonly what: 'halt'; readonly attempts: number };

const FIRST_WAIT_MS = 20;
const LONGEST_WAIT_MS = 2_000;

/** Counts how often records were tried, and says what is done with one that failed. */
export class LetterPolicy {
  readonly #attempts = new Map<string, number>();

  constructor(readonly options: ResolvedDeadLetterOptions) {}

  judge(place: LetterPlace): Verdict {
    const text = placeText(place);
    const attempts = (this.#attempts.get(text) ?? 0) + 1;
    if (attempts <= this.options.retries) {
      this.#attempts.set(text, attempts);
      return { what: 'again', waitMs: Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** (attempts - 1)) };
    }
    this.#attempts.delete(text);
    return { what: this.options.halt ? 'halt' : 'aside', attempts };
  }

  /** What failed before was taken in now. */
  passed(): void {
    this.#attempts.clear();
  }
}
