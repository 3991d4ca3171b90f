import { asideLine } from '../../../database/dead-letters/aside-line.js';
import type { Queryable } from '../../../database/database.js';
import { placeOf, placeText, type LetterReason } from '../../../database/dead-letters/dead-letter.js';
import { DeadLetterStore } from '../../../database/dead-letters/dead-letter-store.js';
import { LetterPolicy, letterOptions } from '../../../database/dead-letters/letter-policy.js';
import { ParkedKeys, type Sorting } from '../../../database/dead-letters/parked-keys.js';
import { sqlState } from '../../../database/database-errors.js';
import { KappaError } from '../../../kernel/errors.js';
import type { PartitionKey } from '../../../kernel/position.js';
import type { LogRecord } from '../../../kernel/record.js';
import { buildLabel } from '../build.js';
import { EventFailure } from '../fold/event-failure.js';
import type { BuildWork } from '../runner/fold-batch.js';
import type { RunnerContext } from '../runner/runner-context.js';
import { pause } from '../../../database/backoff.js';
import { letterOwner } from './letter-owner.js';

export type LettersContext = Pick<RunnerContext, 'database' | 'logger' | 'deadLetters'>;

/** The dead letters of a build, as whoever owns its partitions deals with them: the same live and in a rebuild. */
export class BuildLetters {
  readonly owner: string;
  readonly store: DeadLetterStore;
  readonly parked: ParkedKeys;
  readonly #policy: LetterPolicy;
  readonly #label: string;
  readonly #wants: (record: LogRecord) => boolean;

  constructor(
    private readonly context: LettersContext,
    { build, plan }: BuildWork,
  ) {
    this.owner = letterOwner(build.id);
    this.store = new DeadLetterStore(context.database);
    this.#policy = new LetterPolicy(letterOptions(plan.definition.deadLetters, context.deadLetters));
    this.parked = new ParkedKeys(this.#policy.options.maxLetters);
    this.#label = buildLabel(build);
    this.#wants = (record) => plan.wants(record);
  }

  /** Looks what stands aside in partitions that were claimed. */
  async load(partitions: readonly PartitionKey[]): Promise<void> {
    this.parked.load(partitions, await this.store.standing(this.owner, partitions));
  }

  sort(): Sorting {
    return this.parked.sort();
  }

  /**
   * Whether the record is to be folded; else it stands aside.
   * @throws EventFailure when it would have to stand aside and too many do already
   */
  takes(record: LogRecord, sorting: Sorting): boolean {
    const sorted = sorting.sort(record, this.#wants);
    if (sorted === 'full') throw new EventFailure(record, this.#tooMany(record));
    return sorted === 'take';
  }

  /** Part of the transaction that moves progress over what was sorted. Returns how many stand aside with it. */
  async write(on: Queryable, { asides }: Sorting): Promise<number> {
    return asides.length === 0 ? this.parked.open : this.store.park(on, this.owner, asides);
  }

  /** After the commit of what was written. */
  committed(sorting: Sorting, open: number): void {
    sorting.committed(open);
    for (const { record, reason, attempts } of sorting.asides) {
      if (!reason) continue;
      this.context.logger.error(asideLine(this.#label, record, attempts, reason));
    }
  }

  /**
   * What becomes of a record at fault: false when it is to be applied anew, after a pause, or with the record standing aside; true
   * when the build halts at it.
   */
  async haltsAt(failure: EventFailure, signal: AbortSignal): Promise<boolean> {
    if (failure.cause instanceof KappaError && failure.cause.code === TOO_MANY) return true;
    const verdict = this.#policy.judge(placeOf(failure.record));
    if (verdict.what === 'again') await pause(verdict.waitMs, signal);
    else if (verdict.what === 'aside') this.parked.condemn(failure.record, letterReason(failure), verdict.attempts);
    return verdict.what === 'halt';
  }

  /** All that was tried was taken in. */
  passed(): void {
    this.#policy.passed();
  }

  #tooMany(record: LogRecord): KappaError {
    const { maxLetters } = this.#policy.options;
    return new KappaError(
      TOO_MANY,
      `${this.#label} halts at ${placeText(placeOf(record))}: ${maxLetters} events stand aside already, which is the most that may`,
      {
        facts: { owner: this.owner, maxLetters, ...placeOf(record) },
        nextStep:
          'Correct what is at fault, retry or discard dead letters (npx nest-kappa dead-letters list), and start again; nothing is lost.',
      },
    );
  }
}

const TOO_MANY = 'KAPPA_TOO_MANY_DEAD_LETTERS';

/** What is kept of a failure. */
export function letterReason({ cause }: EventFailure): LetterReason {
  const message = cause instanceof Error ? cause.message : String(cause);
  const state = sqlState(cause);
  return {
    code: cause instanceof KappaError ? cause.code : 'KAPPA_HANDLER_FAILED',
    message: state === null ? message : `${message} (SQLSTATE ${state})`,
    stack: cause instanceof Error ? (cause.stack ?? null) : null,
  };
}
