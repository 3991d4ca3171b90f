import type { LetterCounts } from '../../database/dead-letters/dead-letter.js';
import type { AcceptedMove } from './accept-log.js';
import type { PolicyError, PolicyPartition } from './policy-progress.js';

export interface PolicyStatus {
  readonly name: string;
  /** Stands in the loaded definitions. */
  readonly declared: boolean;
  readonly startAt: 'end' | 'beginning';
  readonly progress: readonly PolicyPartition[];
  /** Processes that handle its events now; one that was killed counts for some seconds more. */
  readonly runners: number;
  /** Offsets still to go, an upper bound on records. */
  readonly behind: number;
  /** Commands that were refused and ignored, all together. */
  readonly refused: number;
  /** Events that stand aside, and those that were discarded. */
  readonly letters: LetterCounts;
  /** What halted it. */
  readonly error: PolicyError | null;
}

export interface AcceptOptions {
  /** Where it goes on in partitions that are not what they were. Default `end`: nothing is handled that stands there already. */
  readonly at?: 'begin' | 'end';
  /** Only says what would be moved. Default false. */
  readonly dryRun?: boolean;
}

/** Operations on policies for an operator's code: what the `kappa policies` command is a thin client of. Injected by its class. */
export abstract class PolicyOperations {
  /** Of all policies, or of those named, by name; also of those that no code declares any more. */
  abstract status(names?: readonly string[]): Promise<readonly PolicyStatus[]>;

  /**
   * Accepts the log as it is now for a policy that halted because it has changed (`KAPPA_LOG_CHANGED`, `KAPPA_LOG_TRUNCATED`): its
   * topic was truncated, restored or created again, or is another log's. Where its progress does not fit the policy goes on at
   * the end, or handles again what stands in the log from the begin; commands that took effect do so once. Running processes go
   * on by themselves within a second. Returns what was moved: nothing where all fits.
   * @throws KAPPA_UNKNOWN_POLICY, KAPPA_UNKNOWN_TOPIC
   */
  abstract accept(name: string, options?: AcceptOptions): Promise<readonly AcceptedMove[]>;
}
