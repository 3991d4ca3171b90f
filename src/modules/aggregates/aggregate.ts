import { KappaError } from '../../kernel/errors.js';
import type { AnyEvent, AnyRecorded, NewOf, Recorded } from '../../kernel/event.js';
import { checkedName } from '../../kernel/names.js';
import type { Topic } from '../../kernel/topic.js';
import type { Class, Decorates } from '../../kernel/types.js';
import { commandName, type CommandClass } from './command.js';

/** What `decide` may know besides command and state; all of it given, none of it fetched. */
export interface DecideContext<F = undefined> {
  /** The time of the decision: ISO 8601 in UTC. */
  readonly now: string;
  /** A new unique id (UUID). */
  newId(): string;
  /** What `prepare` returned. */
  readonly facts: F;
  readonly tenant: string | null;
  /** Who asks, as the application named them in {@link ExecuteOptions.principal}; null when it did not. */
  readonly principal: string | null;
}

export type Decide<C, S, Es extends AnyEvent, F = undefined> = (
  command: Readonly<C>,
  state: Readonly<S>,
  context: DecideContext<F>,
) => readonly NewOf<Es>[];
export type Evolve<S, E extends AnyEvent> = (state: Readonly<S>, event: Recorded<E>) => S;
/** Gives the instance of an injectable class from the application's Nest container. */
export type Inject = <T>(token: Class<T>) => T;
/** May do I/O; runs again after a conflict, with the newer state. */
export type Prepare<C, S, F> = (command: Readonly<C>, state: Readonly<S>, inject: Inject) => Promise<F>;

export interface SnapshotOptions {
  /** A snapshot is written when this many events have come since the last. Default 100. */
  readonly every?: number;
}

export interface AggregateOptions<S, Es extends AnyEvent, Id extends string> {
  readonly name: string;
  /** Where its events go; kept for ever. */
  readonly topic: Topic<Es>;
  /** The field of its commands that names the stream. */
  readonly id: Id;
  readonly initialState: () => S;
  /** Values that one stream of a tenant may hold at a time: `{ 'user.email': (state) => state.email }`; null claims nothing. */
  readonly unique?: Readonly<Record<string, (state: Readonly<S>) => string | null>>;
  /** Default: a snapshot every 100 events; `false` for none. Dropped by themselves when `evolve` changes. */
  readonly snapshots?: SnapshotOptions | false;
}

/** One command of an aggregate, types erased: what the engine runs. */
export interface CommandHandler {
  readonly command: CommandClass;
  readonly commandName: string;
  readonly prepare: Prepare<object, unknown, unknown> | null;
  readonly decide: (
    command: object,
    state: unknown,
    context: DecideContext<unknown>,
  ) => readonly { readonly type: string; readonly data: unknown }[];
}

/** An aggregate as data, types erased: what the engine runs and what both forms of definition end in. */
export interface AggregateDefinition {
  readonly kind: 'aggregate';
  readonly name: string;
  readonly topic: Topic<AnyEvent>;
  readonly id: string;
  readonly initialState: () => unknown;
  readonly unique: Readonly<Record<string, (state: never) => string | null>>;
  /** Null: no snapshots. */
  readonly snapshotEvery: number | null;
  readonly evolve: Readonly<Record<string, (state: unknown, event: AnyRecorded) => unknown>>;
  readonly commands: readonly CommandHandler[];
}

/** Made by {@link aggregate}: then either the object form (`evolve` …) or the decorators that hang from it. */
export interface AggregateBuilder<S, Es extends AnyEvent, Id extends string> {
  readonly kind: 'aggregate-builder';
  readonly name: string;
  readonly topic: Topic<Es>;
  /** Marks the class that holds this aggregate's handlers; the class stands in `aggregates: […]`. It is made with `new` and no arguments. */
  Decider: () => (target: new () => object) => void;
  /** Decides a command; with `prepare`, its result is the context's `facts`. */
  Decide: {
    <C extends Record<Id, string>>(command: Class<C>): Decorates<Decide<C, S, Es>>;
    <C extends Record<Id, string>, F>(command: Class<C>, prepare: Prepare<C, S, F>): Decorates<Decide<C, S, Es, F>>;
  };
  Evolve: <E extends Es>(event: E) => Decorates<Evolve<S, E>>;
  /** How each event of the topic changes the state; exhaustive. */
  evolve(handlers: { readonly [E in Es as E['type']]: Evolve<S, E> }): DecideBuilder<S, Es, Id>;
}

/** An aggregate's definition, immutable: each `decide` returns a new one. */
export interface DecideBuilder<S, Es extends AnyEvent, Id extends string> extends AggregateDefinition {
  decide<C extends Record<Id, string>>(command: Class<C>, decide: Decide<C, S, Es>): DecideBuilder<S, Es, Id>;
  decide<C extends Record<Id, string>, F>(
    command: Class<C>,
    prepare: Prepare<C, S, F>,
    decide: Decide<C, S, Es, F>,
  ): DecideBuilder<S, Es, Id>;
}

const DEFAULT_SNAPSHOT_EVERY = 100;

/**
 * Declares an aggregate.
 * @throws KAPPA_BAD_NAME for its name; KAPPA_BAD_AGGREGATE for a topic with retention or compaction, or a bad snapshot interval.
 */
export function aggregate<S, Es extends AnyEvent, const Id extends string>(
  options: AggregateOptions<S, Es, Id>,
): AggregateBuilder<S, Es, Id> {
  const every = options.snapshots === false ? null : (options.snapshots?.every ?? DEFAULT_SNAPSHOT_EVERY);
  checkedName('aggregate', options.name);
  if (options.topic.retention !== null || options.topic.compaction) {
    throw badAggregate(
      options.name,
      `writes to topic ${options.topic.name}, which is not kept for ever`,
      'Remove its retention and compaction: a stream cannot be loaded from half its events.',
    );
  }
  if (every !== null && (!Number.isInteger(every) || every < 1))
    throw badAggregate(options.name, `has snapshots every ${every} events`, 'Give a whole number from 1, or false.');
  const define = (evolve: AggregateDefinition['evolve'], commands: readonly CommandHandler[]): AggregateDefinition =>
    Object.freeze({
      kind: 'aggregate',
      name: options.name,
      topic: options.topic,
      id: options.id,
      initialState: options.initialState,
      unique: options.unique ?? {},
      snapshotEvery: every,
      evolve,
      commands,
    } satisfies AggregateDefinition);
  return {
    kind: 'aggregate-builder',
    name: options.name,
    topic: options.topic,
    Decider: () => (target: new () => object) => {
      deciderParts(target.prototype as object).define.push(define);
    },
    Decide:
      (command: CommandClass, prepare?: unknown) =>
      (target: object, key: string | symbol, method: TypedPropertyDescriptor<never>) => {
        deciderParts(target).decide.push({
          builder: options.name,
          command,
          key,
          method: method.value,
          prepare: prepare as CommandHandler['prepare'] | undefined,
        });
      },
    Evolve: (event: Es) => (target: object, key: string | symbol, method: TypedPropertyDescriptor<never>) => {
      deciderParts(target).evolve.push({ builder: options.name, type: event.type, key, method: method.value });
    },
    evolve: (handlers: AggregateDefinition['evolve']) => decideBuilder<S, Es, Id>(define, handlers, []),
  } as unknown as AggregateBuilder<S, Es, Id>;
}

type Define = (evolve: AggregateDefinition['evolve'], commands: readonly CommandHandler[]) => AggregateDefinition;

function decideBuilder<S, Es extends AnyEvent, Id extends string>(
  define: Define,
  evolve: AggregateDefinition['evolve'],
  commands: readonly CommandHandler[],
): DecideBuilder<S, Es, Id> {
  const definition = define(evolve, commands);
  return Object.freeze({
    ...definition,
    decide: (command: CommandClass, ...functions: readonly unknown[]) => {
      const [prepare, decide] = functions.length === 1 ? [null, functions[0]] : [functions[0], functions[1]];
      return decideBuilder<S, Es, Id>(define, evolve, withCommand(definition, handlerOf(command, prepare, decide)));
    },
  }) as DecideBuilder<S, Es, Id>;
}

function handlerOf(command: CommandClass, prepare: unknown, decide: unknown): CommandHandler {
  return {
    command,
    commandName: commandName(command),
    prepare: (prepare ?? null) as CommandHandler['prepare'],
    decide: decide as CommandHandler['decide'],
  };
}

function withCommand(definition: AggregateDefinition, handler: CommandHandler): readonly CommandHandler[] {
  if (definition.commands.some((other) => other.commandName === handler.commandName)) {
    throw badAggregate(
      definition.name,
      `decides ${handler.commandName} twice`,
      'Decide each command once, and give commands different names.',
    );
  }
  return [...definition.commands, handler];
}

interface DeciderParts {
  readonly define: Define[];
  readonly decide: {
    readonly builder: string;
    readonly command: CommandClass;
    readonly key: string | symbol;
    readonly method: unknown;
    readonly prepare: CommandHandler['prepare'] | undefined;
  }[];
  readonly evolve: {
    readonly builder: string;
    readonly type: string;
    readonly key: string | symbol;
    readonly method: unknown;
  }[];
}

const PARTS = Symbol('nest-kappa decider');

function deciderParts(prototype: object): DeciderParts {
  const holder = prototype as { [PARTS]?: DeciderParts };
  if (!Object.hasOwn(holder, PARTS))
    Object.defineProperty(holder, PARTS, { value: { define: [], decide: [], evolve: [] } satisfies DeciderParts });
  return holder[PARTS] as DeciderParts;
}

/**
 * The definition behind a list entry: an object as it is, or what the decorators of a class say.
 * @throws KAPPA_BAD_AGGREGATE for a class without `@X.Decider()`, with handlers of another aggregate, or with an event that nothing evolves.
 */
export function aggregateDefinition(entry: AggregateDefinition | (new () => object)): AggregateDefinition {
  if (typeof entry !== 'function') return entry;
  const parts = deciderParts(entry.prototype as object);
  const [define, another] = parts.define;
  if (!define || another)
    throw badAggregate(
      entry.name,
      `has ${parts.define.length} Decider decorators`,
      'Put exactly one `@YourAggregate.Decider()` on the class.',
    );
  const empty = define({}, []);
  const foreign = [...parts.decide, ...parts.evolve].find((part) => part.builder !== empty.name);
  if (foreign)
    throw badAggregate(
      empty.name,
      `has a handler of ${foreign.builder} (${entry.name}.${String(foreign.key)})`,
      `Use the decorators of one aggregate in one class.`,
    );
  const missing = empty.topic.events
    .filter((event) => !parts.evolve.some((part) => part.type === event.type))
    .map((event) => event.type);
  if (missing.length > 0)
    throw badAggregate(
      empty.name,
      `does not evolve ${missing.join(', ')}`,
      `Add a method with @…Evolve(…) to ${entry.name} for each.`,
    );
  const self = new entry();
  const bound = (method: unknown): ((...args: unknown[]) => unknown) => {
    const call = method as (...args: unknown[]) => unknown;
    // The source text of a bound function is lost; fingerprints look at the method behind it.
    return Object.assign((...args: unknown[]) => call.apply(self, args), { source: call });
  };
  const evolve = Object.fromEntries(parts.evolve.map((part) => [part.type, bound(part.method)]));
  return parts.decide.reduce<AggregateDefinition>(
    (definition, part) =>
      define(definition.evolve, withCommand(definition, handlerOf(part.command, part.prepare, bound(part.method)))),
    define(evolve, []),
  );
}

function badAggregate(name: string, what: string, nextStep: string): KappaError {
  return new KappaError('KAPPA_BAD_AGGREGATE', `aggregate ${name} ${what}`, { facts: { aggregate: name }, nextStep });
}
