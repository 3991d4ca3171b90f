import { KappaError } from '../../../kernel/errors.js';
import {
  DeadLetters,
  type DeadLetterDetails,
  type DeadLetterPage,
  type LetterOutcome,
  type ListDeadLetters,
  type SettleOptions,
  type WhichLetters,
} from './dead-letters.js';

/** Where dead letters come from once the application has started. */
export interface DeadLetterSource {
  readonly deadLetters: DeadLetters;
  /** False in a process whose `run` leaves REST out. */
  readonly servesRest: boolean;
}

/** The dead letters of one Nest application: injected before the database is known, they find their source at the first use. */
export class LateDeadLetters extends DeadLetters {
  #source: DeadLetterSource | null = null;

  /** From now on they work. */
  connect(source: DeadLetterSource): void {
    this.#source = source;
  }

  get servesRest(): boolean {
    return this.#connected.servesRest;
  }

  async list(options?: ListDeadLetters): Promise<DeadLetterPage> {
    return this.#connected.deadLetters.list(options);
  }

  async show(id: number): Promise<DeadLetterDetails> {
    return this.#connected.deadLetters.show(id);
  }

  async retry(which: WhichLetters, options?: SettleOptions): Promise<readonly LetterOutcome[]> {
    return this.#connected.deadLetters.retry(which, options);
  }

  async discard(
    ids: readonly number[],
    options: SettleOptions & { readonly by: string; readonly why: string },
  ): Promise<readonly LetterOutcome[]> {
    return this.#connected.deadLetters.discard(ids, options);
  }

  async counts(): ReturnType<DeadLetters['counts']> {
    return this.#connected.deadLetters.counts();
  }

  get #connected(): DeadLetterSource {
    if (this.#source) return this.#source;
    throw new KappaError('KAPPA_NOT_STARTED', 'dead letters were asked for before KappaModule has started', {
      nextStep: 'Ask from onApplicationBootstrap on, and import KappaModule.forRoot() in the application.',
    });
  }
}
