import { deepStrictEqual } from 'node:assert';
import { jsonCodec } from '../kernel/codec.js';
import { KappaError } from '../kernel/errors.js';
import type { AnyEvent, NewOf } from '../kernel/event.js';
import type { LogRecord } from '../kernel/record.js';
import { PolicyPlan, type PolicyCommand } from '../modules/policies/policy-plan.js';
import {
  policyDefinition,
  type CommandWithOptions,
  type PolicyBuilder,
  type PolicyCommandOptions,
  type PolicyDefinition,
} from '../modules/policies/policy.js';
import { injectGiven, type GivenServices } from './given-services.js';
import { recordsOf, type PlainEvent, type RecordedEvent } from './recorded-events.js';

export interface ReactOptions {
  /** Services that handlers ask for: `new Map([[Mailer, fake]])`. */
  readonly inject?: GivenServices;
}

/**
 * What a policy does with an event, without a database and without executing anything:
 *
 * ```ts
 * await react(sendReceipts, recorded('fine-17', PaymentReceived({ amount: '62.59' })))
 *   .then(new SendReceipt('fine-17', '62.59'));
 * ```
 *
 * Works with the object form and with a decorated class, in any test framework; what does not hold is an AssertionError.
 */
export function react<Es extends AnyEvent>(
  policy: PolicyBuilder<Es>,
  event: NewOf<Es> | RecordedEvent<NewOf<Es>>,
  options?: ReactOptions,
): Reacted;
export function react(
  policy: PolicyDefinition | (new () => object),
  event: PlainEvent | RecordedEvent,
  options?: ReactOptions,
): Reacted;
export function react(
  policy: PolicyDefinition | (new () => object),
  event: PlainEvent | RecordedEvent,
  options: ReactOptions = {},
): Reacted {
  return new Reacted(policyDefinition(policy), event, options);
}

/** An event that is to be handled; each of the methods handles it anew. Await them. */
export class Reacted {
  constructor(
    private readonly definition: PolicyDefinition,
    private readonly event: PlainEvent | RecordedEvent,
    private readonly options: ReactOptions,
  ) {}

  /** The policy answers with exactly these commands, in this order; options are compared where they are given. */
  then(...expected: readonly (object | CommandWithOptions)[]): Promise<void> {
    // `await react(…)` calls this as it would a promise's; only what is thrown at once reaches that await.
    if (expected.some((each) => typeof each === 'function')) throw notACommand();
    return this.#answersWith(expected);
  }

  async thenNothing(): Promise<void> {
    deepStrictEqual(await this.commands(), [], 'No command was expected.');
  }

  /** The commands, each with the options it would be executed with. @throws what a handler throws */
  async commands(): Promise<readonly PolicyCommand[]> {
    const plan = new PolicyPlan(this.definition, jsonCodec, { freeze: true });
    const [record] = recordsOf(this.definition, [this.event]);
    const inject = injectGiven(
      this.options.inject ?? null,
      plan.label,
      (name) => `Give it: react(policy, event, { inject: new Map([[${name}, …]]) }).`,
    );
    return plan.react(plan.decode(record as LogRecord), inject);
  }

  async #answersWith(expected: readonly (object | CommandWithOptions)[]): Promise<void> {
    const answered = await this.commands();
    const wanted = expected.map((each) => withOptions(each));
    const compared = answered.map(({ command, options }, at) => {
      const { options: named } = wanted[at] ?? {};
      return named === undefined ? { command } : { command, options: picked(options, named) };
    });
    deepStrictEqual(compared, wanted, 'The commands are not the expected ones.');
  }
}

function withOptions(given: object | CommandWithOptions): CommandWithOptions {
  return Object.getPrototypeOf(given) === Object.prototype && 'command' in given ? given : { command: given };
}

/** Of all options those that a test names. */
function picked(options: PolicyCommand['options'], named: PolicyCommandOptions): PolicyCommandOptions {
  const names = Object.keys(named) as (keyof PolicyCommandOptions)[];
  return Object.fromEntries(names.map((name) => [name, options[name]]));
}

function notACommand(): KappaError {
  return new KappaError('KAPPA_NOT_A_COMMAND', 'a class stands where a command belongs, or react(…) itself was awaited', {
    nextStep: 'Make a command with `new`, and end with .then(…commands) or .thenNothing().',
  });
}
