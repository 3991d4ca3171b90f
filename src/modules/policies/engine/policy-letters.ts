import { asideLine } from '../../../database/dead-letters/aside-line.js';
import { sqlState } from '../../../database/database-errors.js';
import type { Database, Queryable } from '../../../database/database.js';
import { placeOf, placeText, type Aside, type LetterReason } from '../../../database/dead-letters/dead-letter.js';
import { DeadLetterStore } from '../../../database/dead-letters/dead-letter-store.js';
import { LetterPolicy, letterOptions, type DeadLetterOptions } from '../../../database/dead-letters/letter-policy.js';
import { ParkedKeys, type Sorted, type Sorting } from '../../../database/dead-letters/parked-keys.js';
import type { ProgressMove } from '../../../database/partition-progress.js';
import { KappaError } from '../../../kernel/errors.js';
import type { Logger } from '../../../kernel/logger.js';
import type { PartitionKey } from '../../../kernel/position.js';
import type { LogRecord } from '../../../kernel/record.js';
import type { PolicyPlan } from '../policy-plan.js';
import { policyOwner } from '../policy-owner.js';

export interface LettersContext {
  readonly database: Database;
  readonly plan: PolicyPlan;
  readonly logger: Logger;
  /** Where the policy does not say so itself. */
  readonly deadLetters: DeadLetterOptions | null;
}

/** The code of an error that ends once letters are settled. */
export const TOO_MANY_LETTERS = 'KAPPA_TOO_MANY_DEAD_LETTERS';

/** The dead letters of a policy, as whoever owns its partitions deals with them. */
export class PolicyLetters {
  readonly owner: string;
  readonly store: DeadLetterStore;
  readonly parked: ParkedKeys;
  readonly #options: ReturnType<typeof letterOptions>;

  constructor(private readonly context: LettersContext) {
    const { database, plan, deadLetters } = context;
    this.owner = policyOwner(plan.definition.name);
    this.store = new DeadLetterStore(database);
    this.#options = letterOptions(plan.definition.deadLetters, deadLetters);
    this.parked = new ParkedKeys(this.#options.maxLetters);
  }

  /** Looks what stands aside in partitions that were claimed. */
  async load(partitions: readonly PartitionKey[]): Promise<void> {
    this.parked.load(partitions, await this.store.standing(this.owner, partitions));
  }

  /** Judges one event that fails, attempt by attempt. */
  judge(): LetterPolicy {
    return new LetterPolicy(this.#options);
  }

  /** A refused command is a final answer: another try is somebody's to ask for. */
  judgeRefused(): LetterPolicy {
    return new LetterPolicy({ ...this.#options, retries: 0 });
  }

  begin(): BatchLetters {
    return new BatchLetters(this, this.context);
  }

  tooMany(record: LogRecord): KappaError {
    const { maxLetters } = this.#options;
    const { label } = this.context.plan;
    return new KappaError(
      TOO_MANY_LETTERS,
      `${label} halts at ${placeText(placeOf(record))}: ${maxLetters} events stand aside already, which is the most that may`,
      {
        facts: { owner: this.owner, maxLetters, ...placeOf(record) },
        nextStep:
          'Correct what is at fault, then retry or discard dead letters (npx nest-kappa dead-letters list): it goes on by itself; nothing is lost.',
      },
    );
  }
}

/** What is set aside of one batch; written piece by piece, with the progress that moves over it. */
export class BatchLetters {
  readonly #sorting: Sorting;
  readonly #written = new Set<Aside>();
  #open: number | null = null;

  constructor(
    private readonly letters: PolicyLetters,
    private readonly context: Pick<LettersContext, 'plan' | 'logger'>,
  ) {
    this.#sorting = letters.parked.sort();
  }

  /** What is to be done with a record; `aside` when a letter of its key stands before it. */
  sort(record: LogRecord): Sorted {
    return this.#sorting.sort(record, () => true);
  }

  /** Sets the record aside with its reason; `full` when too many stand aside already. */
  condemn(record: LogRecord, reason: LetterReason, attempts: number): Sorted {
    this.letters.parked.condemn(record, reason, attempts);
    return this.sort(record);
  }

  /** What the moves move over, and is not written yet. */
  due(moves: readonly ProgressMove[]): readonly Aside[] {
    return this.#sorting.asides.filter((aside) => {
      const { topic, partition, offset } = aside.record;
      return (
        !this.#written.has(aside) &&
        moves.some((move) => move.topic === topic && move.partition === partition && offset < move.to)
      );
    });
  }

  /** Part of the transaction that moves progress. Returns how many of the policy stand aside then. */
  async write(on: Queryable, asides: readonly Aside[]): Promise<number> {
    // What was written before in this batch is counted, and not known yet to whoever asks what stands aside.
    if (asides.length === 0) return this.#open ?? this.letters.parked.open;
    return this.letters.store.park(on, this.letters.owner, asides);
  }

  /** After the commit of what was written. */
  committed(asides: readonly Aside[], open: number): void {
    for (const aside of asides) this.#written.add(aside);
    this.#open = open;
    const { logger, plan } = this.context;
    for (const { record, reason, attempts } of asides) {
      if (!reason) continue;
      logger.error(asideLine(plan.label, record, attempts, reason));
    }
  }

  /** All of the batch is committed: what stands aside is known from now on. */
  end(): void {
    if (this.#open !== null) this.#sorting.committed(this.#open);
  }
}

/** What is kept of a failure. */
export function letterReason(cause: unknown): LetterReason {
  const message = cause instanceof Error ? cause.message : String(cause);
  const state = sqlState(cause);
  return {
    code: cause instanceof KappaError ? cause.code : 'KAPPA_HANDLER_FAILED',
    message: state === null ? message : `${message} (SQLSTATE ${state})`,
    stack: cause instanceof Error ? (cause.stack ?? null) : null,
  };
}
