import type { Queryable } from '../../database/database.js';
import type { DeadLetterOptions } from '../../database/dead-letters/letter-policy.js';
import { KappaError } from '../../kernel/errors.js';
import type { AnyEvent, AnyRecorded, Recorded } from '../../kernel/event.js';
import { checkedName } from '../../kernel/names.js';
import type { AnyTopic } from '../../kernel/topic.js';
import type { Class, Data } from '../../kernel/types.js';

/** The key of a row or of several: the primary columns, by property name. */
export type Keys<Row> = Partial<Data<Row>> | readonly Partial<Data<Row>>[];

type Extra<R, Row> = R extends object ? Exclude<keyof R, keyof Row> : never;
/** An unknown column is an error even where TypeScript itself checks no excess properties. */
export type NoExtra<R, Row> = [Extra<R, Row>] extends [never] ? unknown : { 'unknown column': Extra<R, Row> };

type OneOf<K> = K extends readonly (infer Each)[] ? Each : K;

/** Row (or null) and event in, new row out; null deletes. Pure. `key` is the key that the event was found to change. */
export type Fold<Row, E extends AnyEvent, R, K = Partial<Data<Row>>> = (
  row: Data<Row> | null,
  event: Recorded<E>,
  key: Readonly<OneOf<K>>,
) => R & NoExtra<R, Row>;

export interface HandlerOptions<Row, E extends AnyEvent, K = Keys<Row>> {
  /** The key of the row (or rows, folded once each) that the event changes; known before the fold. Default: the stream's id. */
  readonly key: (event: Recorded<E>) => K & NoExtra<OneOf<K>, Row>;
}

/** What a raw handler writes with: statements run in the transaction of the batch. */
export interface RawContext {
  readonly transaction: Queryable;
  /** The quoted, qualified name of this build's table. */
  readonly table: string;
}

export interface ProjectionOptions<Row, From extends AnyTopic> {
  readonly name: string;
  /** Raised when columns, keys or meaning change: 1, 2, 3 … */
  readonly version: number;
  /** Several topics make a projection shared: no order exists between their events. */
  readonly from: readonly From[];
  /** A TypeORM entity with `synchronize: false`; it describes the table, the table itself is ours. */
  readonly table: Class<Row>;
  /** The primary column that holds the tenant. Needed as soon as events of a tenant reach the projection. */
  readonly tenant?: keyof Data<Row> & string;
  /** What becomes of events that a handler cannot take in. What is left out is as `forRoot` says. */
  readonly deadLetters?: DeadLetterOptions;
}

/** One handler, types erased. */
export interface ProjectionHandler {
  readonly type: string;
  /** Null: the stream's id is the key. */
  readonly key: ((event: AnyRecorded) => RowKey | readonly RowKey[]) | null;
  readonly run:
    | { readonly kind: 'fold'; readonly fold: (row: Row | null, event: AnyRecorded, key: RowKey) => Row | null }
    | { readonly kind: 'raw'; readonly handle: (context: RawContext, event: AnyRecorded) => Promise<void> };
}

/** A row as folds see it: property name → value. */
export type Row = Readonly<Record<string, unknown>>;
export type RowKey = Readonly<Record<string, unknown>>;

/** A projection as data, types erased: what the engines run and what both forms of definition end in. */
export interface ProjectionDefinition {
  readonly kind: 'projection';
  readonly name: string;
  readonly version: number;
  readonly from: readonly AnyTopic[];
  readonly table: Class<object>;
  readonly tenant: string | null;
  readonly deadLetters: DeadLetterOptions | null;
  /** In the order of declaration; an event may have several. */
  readonly handlers: readonly ProjectionHandler[];
}

/** Made by {@link projection}; immutable: each `on` returns a new definition. */
export interface ProjectionBuilder<R, Es extends AnyEvent> extends ProjectionDefinition {
  readonly table: Class<R & object>;
  /** Marks the class that holds this projection's handlers; the class stands in `projections: […]`. Made with `new` and no arguments. */
  Handlers: () => (target: new () => object) => void;
  On: <E extends Es, K extends Keys<R> = Partial<Data<R>>>(
    event: E,
    options?: HandlerOptions<R, E, K>,
  ) => <M extends (row: Data<R> | null, event: Recorded<E>, key: Readonly<OneOf<K>>) => Data<R> | null>(
    target: object,
    key: string | symbol,
    method: TypedPropertyDescriptor<M> & NoExtra<ReturnType<M>, R>,
  ) => void;
  on<E extends Es, Result extends Data<R> | null>(event: E, fold: Fold<R, E, Result>): ProjectionBuilder<R, Es>;
  on<E extends Es, K extends Keys<R>, Result extends Data<R> | null>(
    event: E,
    options: HandlerOptions<R, E, K>,
    fold: Fold<R, E, Result, K>,
  ): ProjectionBuilder<R, Es>;
  /** For what a fold cannot say. Slower: what is buffered is written before it, and it runs event by event. */
  raw<E extends Es>(event: E, handle: (context: RawContext, event: Recorded<E>) => Promise<void>): ProjectionBuilder<R, Es>;
}

/** @throws KAPPA_BAD_NAME, KAPPA_BAD_PROJECTION */
export function projection<R, From extends AnyTopic>(
  options: ProjectionOptions<R, From>,
): ProjectionBuilder<R, From['events'][number]> {
  checkedName('projection', options.name);
  if (!Number.isInteger(options.version) || options.version < 1) {
    throw badProjection(options.name, `has version ${options.version}`, 'Give a whole number from 1.');
  }
  if (options.from.length === 0) throw badProjection(options.name, 'reads no topic', 'Name at least one in from.');
  return builder<R, From['events'][number]>(options, []);
}

function builder<R, Es extends AnyEvent>(
  options: ProjectionOptions<R, AnyTopic>,
  handlers: readonly ProjectionHandler[],
): ProjectionBuilder<R, Es> {
  const define = (given: readonly ProjectionHandler[]): ProjectionDefinition =>
    Object.freeze({
      kind: 'projection',
      name: options.name,
      version: options.version,
      from: options.from,
      table: options.table as Class<object>,
      tenant: options.tenant ?? null,
      deadLetters: checkedLetters(options),
      handlers: given,
    } satisfies ProjectionDefinition);
  const add = (handler: ProjectionHandler): ProjectionBuilder<R, Es> => builder<R, Es>(options, [...handlers, handler]);
  return Object.freeze({
    ...define(handlers),
    Handlers: () => (target: new () => object) => {
      handlerParts(target.prototype as object).define.push(define);
    },
    On:
      (event: AnyEvent, on?: { readonly key: ProjectionHandler['key'] }) =>
      (target: object, key: string | symbol, method: TypedPropertyDescriptor<never>) => {
        handlerParts(target).on.push({
          projection: options.name,
          type: event.type,
          rowKey: on?.key ?? null,
          key,
          method: method.value,
        });
      },
    on: (event: AnyEvent, ...rest: readonly unknown[]) => {
      const [on, fold] = rest.length === 1 ? [null, rest[0]] : [rest[0], rest[1]];
      return add({
        type: event.type,
        key: (on as { readonly key: ProjectionHandler['key'] } | null)?.key ?? null,
        run: { kind: 'fold', fold: fold as (row: Row | null, event: AnyRecorded, key: RowKey) => Row | null },
      });
    },
    raw: (event: AnyEvent, handle: (context: RawContext, event: AnyRecorded) => Promise<void>) =>
      add({ type: event.type, key: null, run: { kind: 'raw', handle } }),
  }) as unknown as ProjectionBuilder<R, Es>;
}

interface HandlerParts {
  readonly define: ((handlers: readonly ProjectionHandler[]) => ProjectionDefinition)[];
  readonly on: {
    readonly projection: string;
    readonly type: string;
    readonly rowKey: ProjectionHandler['key'];
    readonly key: string | symbol;
    readonly method: unknown;
  }[];
}

const PARTS = Symbol('nest-kappa handlers');

function handlerParts(prototype: object): HandlerParts {
  const holder = prototype as { [PARTS]?: HandlerParts };
  if (!Object.hasOwn(holder, PARTS))
    Object.defineProperty(holder, PARTS, { value: { define: [], on: [] } satisfies HandlerParts });
  return holder[PARTS] as HandlerParts;
}

/**
 * The definition behind a list entry: an object as it is, or what the decorators of a class say.
 * @throws KAPPA_BAD_PROJECTION for a class without `@X.Handlers()` or with handlers of another projection.
 */
export function projectionDefinition(entry: ProjectionDefinition | (new () => object)): ProjectionDefinition {
  if (typeof entry !== 'function') return entry;
  const parts = handlerParts(entry.prototype as object);
  const [define, another] = parts.define;
  if (!define || another)
    throw badProjection(
      entry.name,
      `has ${parts.define.length} Handlers decorators`,
      'Put exactly one `@YourProjection.Handlers()` on the class.',
    );
  const { name } = define([]);
  const foreign = parts.on.find((part) => part.projection !== name);
  if (foreign)
    throw badProjection(
      name,
      `has a handler of ${foreign.projection} (${entry.name}.${String(foreign.key)})`,
      'Use the decorators of one projection in one class.',
    );
  const self = new entry();
  return define(
    parts.on.map((part) => {
      const method = part.method as (row: Row | null, event: AnyRecorded, key: RowKey) => Row | null;
      // The source text of a bound function is lost; fingerprints look at the method behind it.
      const fold = Object.assign((row: Row | null, event: AnyRecorded, key: RowKey) => method.call(self, row, event, key), {
        source: method,
      });
      return { type: part.type, key: part.rowKey, run: { kind: 'fold', fold } };
    }),
  );
}

function checkedLetters<R>({ name, deadLetters }: ProjectionOptions<R, AnyTopic>): DeadLetterOptions | null {
  if (!deadLetters) return null;
  for (const option of ['retries', 'maxLetters'] as const) {
    const value = deadLetters[option];
    if (value !== undefined && !(Number.isInteger(value) && value >= 0))
      throw badProjection(name, `has deadLetters.${option} ${value}`, 'Give a whole number from 0.');
  }
  return Object.freeze({ ...deadLetters });
}

function badProjection(name: string, what: string, nextStep: string): KappaError {
  return new KappaError('KAPPA_BAD_PROJECTION', `projection ${name} ${what}`, { facts: { projection: name }, nextStep });
}
