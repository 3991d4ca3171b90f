import { Backoff, pause } from '../../../database/backoff.js';
import { placeOf as letterPlace } from '../../../database/dead-letters/dead-letter.js';
import type { LetterPolicy } from '../../../database/dead-letters/letter-policy.js';
import { Refusal } from '../../../kernel/errors.js';
import type { LogRecord } from '../../../kernel/record.js';
import type { PolicyError } from '../policy-progress.js';
import { eventError, handleEvent, messageOf, passes, placeOf } from './handle-event.js';
import { letterReason, type PolicyLetters } from './policy-letters.js';
import type { PolicyRunnerContext } from './policy-runner.js';
import type { ProgressCommits } from './progress-commits.js';

/** What an event waits for is away: it is tried again no longer than this apart. */
const AWAY_WAITS = { firstMs: 100, mostMs: 5_000 };

/** What of its runner the handling of events needs. */
export interface EventHandlerParts {
  readonly letters: PolicyLetters;
  /** Of the batch under way. */
  commits(): ProgressCommits;
  /** Progress may move over the record. */
  close(record: LogRecord): void;
  /** Says that something is away. */
  warn(what: string, attempts: number): void;
}

/** Sees one event after another through: handled, set aside with its reason, or in the way. */
export class EventHandler {
  readonly #handling = new Set<LogRecord>();

  constructor(
    private readonly context: PolicyRunnerContext,
    private readonly parts: EventHandlerParts,
  ) {}

  /** Events that are being handled now, in words. */
  get underWay(): readonly string[] {
    return [...this.#handling].map(placeOf);
  }

  /**
   * Handles the event again and again while it must, or sets it aside; returns what is to halt the policy. The event is neither
   * where the signal aborts, or a later owner has taken over.
   */
  async handle(record: LogRecord, signal: AbortSignal): Promise<PolicyError | null> {
    const sorted = this.parts.commits().letters.sort(record);
    if (sorted === 'full') return this.#tooMany(record);
    if (sorted !== 'take') return this.#close(record);
    this.#handling.add(record);
    try {
      return await this.#handleUntilDone(record, signal);
    } finally {
      this.#handling.delete(record);
    }
  }

  async #handleUntilDone(record: LogRecord, signal: AbortSignal): Promise<PolicyError | null> {
    const { letters } = this.parts;
    const away = new Backoff(AWAY_WAITS);
    let policy: LetterPolicy | null = null;
    for (;;) {
      try {
        this.#count(record, await handleEvent(record, this.context));
        return this.#close(record);
      } catch (error) {
        if (signal.aborted || this.parts.commits().fenced) return null;
        if (passes(error)) {
          this.parts.warn(`${placeOf(record)}: ${messageOf(error)}`, away.attempts);
          await away.wait(signal);
          continue;
        }
        policy ??= error instanceof Refusal ? letters.judgeRefused() : letters.judge();
        const verdict = policy.judge(letterPlace(record));
        if (verdict.what === 'again') await pause(verdict.waitMs, signal);
        else if (verdict.what === 'aside') return this.#setAside(record, error, verdict.attempts);
        else return eventError(this.context.plan.label, record, error, new Date());
      }
    }
  }

  #setAside(record: LogRecord, error: unknown, attempts: number): PolicyError | null {
    const sorted = this.parts.commits().letters.condemn(record, letterReason(error), attempts);
    return sorted === 'full' ? this.#tooMany(record) : this.#close(record);
  }

  #tooMany(record: LogRecord): PolicyError {
    return eventError(this.context.plan.label, record, this.parts.letters.tooMany(record), new Date());
  }

  #count(record: LogRecord, ignored: readonly Refusal[]): void {
    const { logger, plan } = this.context;
    for (const refusal of ignored) logger.log(`${plan.label}: ${placeOf(record)}: ${refusal.message}`);
    if (ignored.length > 0) this.parts.commits().countRefused(record, ignored.length);
  }

  #close(record: LogRecord): null {
    this.parts.close(record);
    return null;
  }
}
