import { KappaError } from './errors.js';
import type { Shape } from './shape.js';

/** An event that was decided but not yet recorded. */
export interface NewEvent<N extends string, D> {
  readonly type: N;
  readonly data: Readonly<D>;
}

/** One declared version of an event's payload; `upcast` turns the version before into it (null for the first). */
export interface EventVersion {
  readonly version: number;
  readonly shape: Shape<unknown>;
  readonly upcast: ((old: never) => unknown) | null;
}

/**
 * An event type: a stable name and its payload, called to make an event: `FineCreated({ amount: '62.59' })`.
 * The name is what the log stores; it never changes. The payload changes by {@link EventType.next}.
 */
export interface EventType<N extends string, D> {
  readonly type: N;
  /** The version that is written now: 1, 2, 3 … */
  readonly version: number;
  /** All versions that may stand in the log, oldest first. */
  readonly versions: readonly EventVersion[];
  (data: D): NewEvent<N, D>;
  /** Declares the next version; `upcast` turns the payload of the version before into it, on read. */
  next<D2>(shape: Shape<D2>, upcast: (old: Readonly<D>) => NoInfer<D2>): EventType<N, D2>;
}

// eslint-disable-next-line @typescript-eslint/no-explicit-any -- variance: an event of any payload
export type AnyEvent = EventType<string, any>;
export type DataOf<E> = E extends EventType<string, infer D> ? D : never;
export type NewOf<E> = E extends EventType<infer N, infer D> ? NewEvent<N, D> : never;

/** Who an event belongs to: the aggregate instance and the version this event gave it. */
export interface EventStream {
  readonly aggregate: string;
  readonly id: string;
  /** 1 for the first event of the stream. */
  readonly version: number;
}

/** An event as it stands in the log, upcast to its newest version. */
export interface Recorded<E extends AnyEvent> {
  /** Unique over all topics (CloudEvents `id`). */
  readonly id: string;
  readonly type: E['type'];
  readonly data: Readonly<DataOf<E>>;
  readonly stream: EventStream;
  /** Null where the event belongs to no tenant. */
  readonly tenant: string | null;
  /** When it happened: ISO 8601, with its offset as it was written. */
  readonly occurredAt: string;
  /** When it was appended: ISO 8601 in UTC. */
  readonly recordedAt: string;
  readonly correlationId: string | null;
  readonly causationId: string | null;
  /** Where it stands in the log. */
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
}

/** Any recorded event, where the type is not known. */
export type AnyRecorded = Recorded<AnyEvent>;

const EVENT_TYPE = /^[A-Za-z0-9][A-Za-z0-9._:-]{0,199}$/;

/**
 * Declares an event type, in the past tense: `event('fine.created', FineCreatedData)`.
 * @throws KAPPA_BAD_EVENT_TYPE for a name with other than letters, digits, `.`, `_`, `:` and `-`.
 */
export function event<const N extends string, D>(type: N, shape: Shape<D>): EventType<N, D> {
  if (!EVENT_TYPE.test(type)) {
    throw new KappaError('KAPPA_BAD_EVENT_TYPE', `${JSON.stringify(type)} cannot be an event type`, {
      facts: { type },
      nextStep: 'Use letters, digits, dots, colons, hyphens or underscores, like "fine.created".',
    });
  }
  return eventType<N, D>(type, [{ version: 1, shape, upcast: null }]);
}

function eventType<N extends string, D>(type: N, versions: readonly EventVersion[]): EventType<N, D> {
  const make = (data: D): NewEvent<N, D> => ({ type, data });
  return Object.freeze(
    Object.assign(make, {
      type,
      version: versions.length,
      versions: Object.freeze([...versions]),
      next: <D2>(shape: Shape<D2>, upcast: (old: Readonly<D>) => NoInfer<D2>): EventType<N, D2> =>
        eventType<N, D2>(type, [...versions, { version: versions.length + 1, shape, upcast }]),
    }),
  );
}
