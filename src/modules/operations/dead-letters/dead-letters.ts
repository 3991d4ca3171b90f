import type { LetterCounts, LetterState } from '../../../database/dead-letters/dead-letter.js';
import type { ListedLetter } from '../../../database/dead-letters/dead-letter-store.js';

/** A record that was set aside, and by whom. */
export interface DeadLetterInfo extends ListedLetter {
  /** `fines` */
  readonly name: string;
  /** `fines v1 build 2` */
  readonly label: string;
}

export interface ListDeadLetters {
  /** Of the builds of this projection. Default: of all. */
  readonly name?: string;
  /** Default: letters, without those behind them. */
  readonly states?: readonly LetterState[];
  /** Those with a higher id: the cursor of a page. */
  readonly after?: number;
  /** From 1 to 1,000. Default 100. */
  readonly limit?: number;
}

export interface DeadLetterPage {
  readonly letters: readonly DeadLetterInfo[];
  /** To be given as `after`; null on the last page. */
  readonly next: number | null;
}

/** A letter with the record it is about, as it stands in the log. */
export interface DeadLetterDetails extends DeadLetterInfo {
  /** Null when retention has removed it. */
  readonly record: {
    readonly headers: Readonly<Record<string, string>>;
    /** ISO 8601: when it was appended. */
    readonly recordedAt: string;
    /** The payload as the codec reads it; null when it cannot, and then `base64` holds the bytes. */
    readonly data: unknown;
    readonly base64: string | null;
  } | null;
}

/** Which letters: some, those of a projection's builds, or all that somebody can settle. */
export type WhichLetters = { readonly ids: readonly number[] } | { readonly name: string } | { readonly all: true };

export interface SettleOptions {
  /** Who asks; kept with the letter. */
  readonly by?: string;
  /** How long to wait until it is carried out, in milliseconds. Default 0: it is carried out all the same. */
  readonly waitMs?: number;
  readonly signal?: AbortSignal;
}

export interface LetterOutcome {
  readonly letter: DeadLetterInfo;
  /** `failed`: it is at fault again. `asked`: its owner has not come to it yet. */
  readonly outcome: 'applied' | 'discarded' | 'failed' | 'asked';
  readonly remark: string | null;
  /** Where it was settled, but one that waited behind it is at fault, too: that one, for which the rest waits now. */
  readonly next: DeadLetterInfo | null;
}

/**
 * Events that could not be taken in, for an operator's code: what `kappa dead-letters` is a thin client of. Injected by its class.
 * What is asked for is carried out by the owner of the partition, in log order; where none runs, from here.
 */
export abstract class DeadLetters {
  /** @throws KAPPA_BAD_QUERY for a limit out of range */
  abstract list(options?: ListDeadLetters): Promise<DeadLetterPage>;
  /** @throws KAPPA_UNKNOWN_DEAD_LETTER */
  abstract show(id: number): Promise<DeadLetterDetails>;
  /**
   * Tries letters again, each with all that waits behind it.
   * @throws KAPPA_UNKNOWN_DEAD_LETTER; KAPPA_DEAD_LETTER_WAITS for one that waits behind another; KAPPA_DEAD_LETTER_SETTLED for one
   *         that is settled, or whose build has ended
   */
  abstract retry(which: WhichLetters, options?: SettleOptions): Promise<readonly LetterOutcome[]>;
  /**
   * Leaves letters out for good, with a reason; what waits behind them goes on. Later builds of the projection skip them, too.
   * @throws as {@link retry}; KAPPA_NO_REASON
   */
  abstract discard(
    ids: readonly number[],
    options: SettleOptions & { readonly by: string; readonly why: string },
  ): Promise<readonly LetterOutcome[]>;
  /** How many there are, by owner; for metrics and alerts. Owners of none are left out. */
  abstract counts(): Promise<readonly (LetterCounts & { readonly name: string; readonly label: string })[]>;
}
