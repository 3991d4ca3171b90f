import type { LetterCounts } from '../../database/dead-letters/dead-letter.js';
import type { PolicyError, PolicyPartition } from './policy-progress.js';

export interface PolicyStatus {
  readonly name: string;
  /** Stands in the loaded definitions. */
  readonly declared: boolean;
  readonly startAt: 'end' | 'beginning';
  readonly progress: readonly PolicyPartition[];
  /** Offsets still to go, an upper bound on records. */
  readonly behind: number;
  /** Commands that were refused and ignored, all together. */
  readonly refused: number;
  /** Events that stand aside, and those that were discarded. */
  readonly letters: LetterCounts;
  /** What halted it. */
  readonly error: PolicyError | null;
}

/** Operations on policies for an operator's code: what the `kappa policies` command is a thin client of. Injected by its class. */
export abstract class PolicyOperations {
  /** Of all policies, or of those named, by name; also of those that no code declares any more. */
  abstract status(names?: readonly string[]): Promise<readonly PolicyStatus[]>;
}
