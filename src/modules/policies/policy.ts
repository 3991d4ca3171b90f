import type { DeadLetterOptions } from '../../database/dead-letters/letter-policy.js';
import { KappaError } from '../../kernel/errors.js';
import type { AnyEvent, AnyRecorded, NewEvent, Recorded } from '../../kernel/event.js';
import { checkedName } from '../../kernel/names.js';
import type { AnyTopic, Topic } from '../../kernel/topic.js';
import type { Inject } from '../aggregates/aggregate.js';
import type { ExecuteOptions } from '../aggregates/command.js';

/** Options of one command; its id and cause are the policy's to give, so that a repeated event repeats no command. */
export type PolicyCommandOptions = Omit<ExecuteOptions, 'idempotencyKey' | 'causationId' | 'transaction'>;

/** A command that is to go to another tenant than the event's, say: `{ command: new SendReceipt(…), options: { tenant } }`. */
export interface CommandWithOptions {
  readonly command: object;
  readonly options?: PolicyCommandOptions;
}

type IsAny<T> = 0 extends 1 & T ? true : false;
type AnyFunction = ((...args: never[]) => unknown) | (abstract new (...args: never[]) => unknown);

/** What of a handler's answer is no command: never for a right one. */
type NoCommand<C> =
  IsAny<C> extends true
    ? never
    : C extends null | ReturnType<() => void>
      ? never
      : C extends AnyFunction
        ? C
        : C extends NewEvent<string, unknown>
          ? [Exclude<keyof C, keyof NewEvent<string, unknown>>] extends [never]
            ? C
            : never
          : C extends { readonly command: object; readonly options: infer O }
            ? Exclude<keyof O, keyof PolicyCommandOptions>
            : C extends object
              ? never
              : C;
type NoCommandIn<A> = A extends readonly (infer C)[] ? NoCommand<C> : NoCommand<A>;
/** An event, a class in place of its instance or an unknown option is an error where the handler is given. */
export type CommandsOnly<R> = [NoCommandIn<Awaited<R>>] extends [never] ? unknown : { 'no command': NoCommandIn<Awaited<R>> };

/**
 * Event in; none, one or several commands out, by a promise or at once. May look things up and have side effects with injected
 * services: those happen at least once, commands take effect exactly once.
 */
export type Reaction<E extends AnyEvent, R> = (event: Recorded<E>, inject: Inject) => R & CommandsOnly<R>;

/** What becomes of an event whose command the domain refuses. A refusal is a final answer: it is not tried again by itself. */
export type RefusalPolicy = 'dead-letter' | 'ignore';

export interface PolicyOptions<Es extends AnyEvent> {
  /** Stable: progress and the ids of commands are kept under it. */
  readonly name: string;
  readonly from: readonly Topic<Es>[];
  /** Where it begins when it is first seen by any process of the application; decided once. Default `end`: events to come. */
  readonly startAt?: 'end' | 'beginning';
  /** Events of different keys that one process handles at a time; those of one key are handled in order. Default 16. */
  readonly concurrency?: number;
  /** `ignore` counts the refusal and goes on. Default `dead-letter`: nothing is left undone without being listed. */
  readonly onRefusal?: RefusalPolicy;
  /** What becomes of events that fail. What is left out is as `forRoot` says. */
  readonly deadLetters?: DeadLetterOptions;
}

/** One handler, types erased. */
export interface PolicyHandler {
  readonly type: string;
  readonly react: (event: AnyRecorded, inject: Inject) => unknown;
}

/** A policy as data, types erased: what the engine runs and what both forms of definition end in. */
export interface PolicyDefinition {
  readonly kind: 'policy';
  readonly name: string;
  readonly from: readonly AnyTopic[];
  readonly startAt: 'end' | 'beginning';
  readonly concurrency: number;
  readonly onRefusal: RefusalPolicy;
  readonly deadLetters: DeadLetterOptions | null;
  /** In the order of declaration; an event may have several. */
  readonly handlers: readonly PolicyHandler[];
}

/** Made by {@link policy}; immutable: each `on` returns a new definition. */
export interface PolicyBuilder<Es extends AnyEvent> extends PolicyDefinition {
  /** Marks the class that holds this policy's handlers; the class stands in `policies: […]`. Made with `new` and no arguments. */
  Handlers: () => (target: new () => object) => void;
  On: <E extends Es>(
    event: E,
  ) => <M extends (event: Recorded<E>, inject: Inject) => unknown>(
    target: object,
    key: string | symbol,
    method: TypedPropertyDescriptor<M> & CommandsOnly<ReturnType<M>>,
  ) => void;
  on<E extends Es, R>(event: E, react: Reaction<E, R>): PolicyBuilder<Es>;
}

const DEFAULT_CONCURRENCY = 16;
const MAX_CONCURRENCY = 1_000;

/**
 * Declares a policy, which turns events into commands:
 *
 * ```ts
 * const SendReceipts = policy({ name: 'send-receipts', from: [fines] });
 * const sendReceipts = SendReceipts.on(PaymentReceived, (event) => new SendReceipt(event.stream.id, event.data.amount));
 * ```
 *
 * It reads the log by a progress of its own, so that it never runs in a rebuild.
 * @throws KAPPA_BAD_NAME, KAPPA_BAD_POLICY
 */
export function policy<Es extends AnyEvent>(options: PolicyOptions<Es>): PolicyBuilder<Es> {
  const { name, startAt = 'end', onRefusal = 'dead-letter', concurrency = DEFAULT_CONCURRENCY } = options;
  checkedName('policy', name);
  if (options.from.length === 0) throw badPolicy(name, 'reads no topic', 'Name at least one in from.');
  if (!['end', 'beginning'].includes(startAt))
    throw badPolicy(name, `starts at ${JSON.stringify(startAt)}`, "Give 'end' or 'beginning'.");
  if (!['dead-letter', 'ignore'].includes(onRefusal))
    throw badPolicy(name, `has onRefusal ${JSON.stringify(onRefusal)}`, "Give 'dead-letter' or 'ignore'.");
  if (!Number.isInteger(concurrency) || concurrency < 1 || concurrency > MAX_CONCURRENCY)
    throw badPolicy(name, `has a concurrency of ${concurrency}`, `Give a whole number from 1 to ${MAX_CONCURRENCY}.`);
  const deadLetters = options.deadLetters ? Object.freeze({ ...options.deadLetters }) : null;
  for (const option of ['retries', 'maxLetters'] as const) {
    const value = deadLetters?.[option];
    if (value !== undefined && !(Number.isInteger(value) && value >= 0))
      throw badPolicy(name, `has deadLetters.${option} ${value}`, 'Give a whole number from 0.');
  }
  return builder<Es>({ name, from: options.from, startAt, concurrency, onRefusal, deadLetters }, []);
}

function builder<Es extends AnyEvent>(
  options: Omit<PolicyDefinition, 'kind' | 'handlers'>,
  handlers: readonly PolicyHandler[],
): PolicyBuilder<Es> {
  const define = (given: readonly PolicyHandler[]): PolicyDefinition =>
    Object.freeze({ kind: 'policy', ...options, handlers: given } satisfies PolicyDefinition);
  return Object.freeze({
    ...define(handlers),
    Handlers: () => (target: new () => object) => {
      handlerParts(target.prototype as object).define.push(define);
    },
    On: (event: AnyEvent) => (target: object, key: string | symbol, method: TypedPropertyDescriptor<never>) => {
      handlerParts(target).on.push({ policy: options.name, type: event.type, key, method: method.value });
    },
    on: (event: AnyEvent, react: PolicyHandler['react']) => builder<Es>(options, [...handlers, { type: event.type, react }]),
  }) as unknown as PolicyBuilder<Es>;
}

interface HandlerParts {
  readonly define: ((handlers: readonly PolicyHandler[]) => PolicyDefinition)[];
  readonly on: {
    readonly policy: string;
    readonly type: string;
    readonly key: string | symbol;
    readonly method: unknown;
  }[];
}

const PARTS = Symbol('nest-kappa policy handlers');

function handlerParts(prototype: object): HandlerParts {
  const holder = prototype as { [PARTS]?: HandlerParts };
  if (!Object.hasOwn(holder, PARTS))
    Object.defineProperty(holder, PARTS, { value: { define: [], on: [] } satisfies HandlerParts });
  return holder[PARTS] as HandlerParts;
}

/**
 * The definition behind a list entry: an object as it is, or what the decorators of a class say.
 * @throws KAPPA_BAD_POLICY for a class without `@X.Handlers()` or with handlers of another policy.
 */
export function policyDefinition(entry: PolicyDefinition | (new () => object)): PolicyDefinition {
  if (typeof entry !== 'function') return entry;
  const parts = handlerParts(entry.prototype as object);
  const [define, another] = parts.define;
  if (!define || another)
    throw badPolicy(
      entry.name,
      `has ${parts.define.length} Handlers decorators`,
      'Put exactly one `@YourPolicy.Handlers()` on the class.',
    );
  const { name } = define([]);
  const foreign = parts.on.find((part) => part.policy !== name);
  if (foreign)
    throw badPolicy(
      name,
      `has a handler of ${foreign.policy} (${entry.name}.${String(foreign.key)})`,
      'Use the decorators of one policy in one class.',
    );
  const self = new entry();
  return define(
    parts.on.map(({ type, method }) => ({
      type,
      react: (event, inject) => (method as PolicyHandler['react']).call(self, event, inject),
    })),
  );
}

function badPolicy(name: string, what: string, nextStep: string): KappaError {
  return new KappaError('KAPPA_BAD_POLICY', `policy ${name} ${what}`, { facts: { policy: name }, nextStep });
}
