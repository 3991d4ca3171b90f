import { deepStrictEqual } from 'node:assert';
import { jsonCodec } from '../kernel/codec.js';
import { KappaError } from '../kernel/errors.js';
import type { AnyEvent, AnyRecorded, NewOf } from '../kernel/event.js';
import { assertJson, checkedPayload } from '../kernel/payload.js';
import {
  aggregateDefinition,
  type AggregateDefinition,
  type DecideBuilder,
  type Inject,
} from '../modules/aggregates/aggregate.js';
import type { AggregateModel } from '../modules/aggregates/aggregate-model.js';
import { AggregateRegistry } from '../modules/aggregates/aggregate-registry.js';
import { checkCommand } from '../modules/aggregates/command-check.js';
import { injectGiven, type GivenServices } from './given-services.js';
import { decideCommand, type DecidedEvent } from '../modules/aggregates/decision.js';

/** An event, types erased. */
interface PlainEvent {
  readonly type: string;
  readonly data: unknown;
}

/** What a decision is told besides command and state; everything has a fixed value, so that a test gives the same each time. */
export interface WhenOptions {
  readonly tenant?: string | null;
  readonly principal?: string | null;
  /** ISO 8601 in UTC. Default 2026-01-01T00:00:00.000Z; it is also when the given events happened. */
  readonly now?: string;
  /** What `newId()` gives, in order. Default `id-1`, `id-2` … */
  readonly ids?: readonly string[];
}

/** What `prepare` needs: its services, or right away what it would return. */
export type PreparedWith =
  | { readonly inject: GivenServices }
  /** In place of running `prepare`. */
  | { readonly facts: unknown };

const NOW = '2026-01-01T00:00:00.000Z';

/**
 * A specification of an aggregate, without a database:
 *
 * ```ts
 * await given(fine, FineCreated({ amount: '62.59' }))
 *   .when(new ReceivePayment('f1', '62.59'))
 *   .then(PaymentReceived({ amount: '62.59' }));
 * ```
 *
 * Works with the object form and with a decorated class, in any test framework; what does not hold is an AssertionError.
 */
export function given<S, Es extends AnyEvent, Id extends string>(
  aggregate: DecideBuilder<S, Es, Id>,
  ...events: readonly NewOf<Es>[]
): Given;
export function given(aggregate: AggregateDefinition | (new () => object), ...events: readonly PlainEvent[]): Given;
export function given(aggregate: AggregateDefinition | (new () => object), ...events: readonly PlainEvent[]): Given {
  return new Given(aggregateDefinition(aggregate), events);
}

export class Given {
  constructor(
    private readonly definition: AggregateDefinition,
    private readonly events: readonly PlainEvent[],
  ) {}

  when(command: object, options: WhenOptions = {}): When {
    return new When(this.definition, this.events, command, options, null);
  }
}

/** A command that is to be decided; each of the `then…` decides it anew. Await them. */
export class When {
  constructor(
    private readonly definition: AggregateDefinition,
    private readonly events: readonly PlainEvent[],
    private readonly command: object,
    private readonly options: WhenOptions,
    private readonly prepared: PreparedWith | null,
  ) {}

  /** Gives `prepare` its services: `.with({ inject: new Map([[Tariffs, fake]]) })`; or its result: `.with({ facts })`. */
  with(prepared: PreparedWith): When {
    return new When(this.definition, this.events, this.command, this.options, prepared);
  }

  /** The command is decided to exactly these events, in this order. */
  then(...expected: readonly PlainEvent[]): Promise<void> {
    // `await given(…).when(…)` calls this as it would a promise's; only what is thrown at once reaches that await.
    if (expected.some((event) => typeof event === 'function' && !('type' in event))) throw notAnEvent();
    return this.#decidesTo(expected);
  }

  async thenNothing(): Promise<void> {
    deepStrictEqual(await this.#decide(), [], 'No event was expected.');
  }

  /** The command is refused with this code: a Refusal's, or that of a KappaError such as KAPPA_INVALID_PAYLOAD. */
  async thenRefused(code: string): Promise<void> {
    let events: readonly PlainEvent[];
    try {
      events = await this.#decide();
    } catch (error) {
      if (!(error instanceof KappaError)) throw error;
      deepStrictEqual(error.code, code, `The command was refused with another code: ${error.message}`);
      return;
    }
    deepStrictEqual({ events }, { refused: code }, 'The command was not refused.');
  }

  async #decidesTo(expected: readonly PlainEvent[]): Promise<void> {
    if (expected.some((event) => typeof event === 'function')) throw notAnEvent();
    deepStrictEqual(await this.#decide(), expected.map(plain), 'The decided events are not the expected ones.');
  }

  async #decide(): Promise<readonly PlainEvent[]> {
    const { definition, command, options } = this;
    const { model, handler } = new AggregateRegistry([definition], jsonCodec, true).route(command);
    const { tenant = null, principal = null, now = NOW } = options;
    checkCommand(definition, handler, command, tenant === null ? {} : { tenant });
    const history = new History(model, tenant, (command as Readonly<Record<string, string>>)[definition.id] ?? '', now);
    const state = this.events.reduce<unknown>(
      (before, event) => history.apply(before, checkedGiven(model, event)),
      model.initialState(),
    );
    const facts = handler.prepare
      ? await this.#facts((inject) => handler.prepare?.(command, state as Readonly<unknown>, inject))
      : undefined;
    let ids = 0;
    const newId = (): string => {
      ids += 1;
      return options.ids?.[ids - 1] ?? `id-${ids}`;
    };
    const decided = decideCommand(model, handler, command, state, { now, newId, facts, tenant, principal });
    decided.reduce((before, event) => history.apply(before, event), state);
    return decided.map(plain);
  }

  async #facts(prepare: (inject: Inject) => unknown): Promise<unknown> {
    const { prepared } = this;
    if (prepared && 'facts' in prepared) return prepared.facts;
    return prepare(
      injectGiven(
        prepared?.inject ?? null,
        'prepare',
        (name) => `Give it: .with({ inject: new Map([[${name}, …]]) }), or what prepare returns: .with({ facts: … }).`,
      ),
    );
  }
}

/** Numbers events as a log would, and folds them. */
class History {
  #version = 0;

  constructor(
    private readonly model: AggregateModel,
    private readonly tenant: string | null,
    private readonly id: string,
    private readonly now: string,
  ) {}

  apply(state: unknown, event: PlainEvent): unknown {
    const { definition } = this.model;
    const { partition } = this.model.address(this.tenant, this.id);
    this.#version += 1;
    const recorded: AnyRecorded = {
      id: `event-${this.#version}`,
      type: event.type,
      data: plain(event).data as Readonly<unknown>,
      stream: { aggregate: definition.name, id: this.id, version: this.#version },
      tenant: this.tenant,
      occurredAt: this.now,
      recordedAt: this.now,
      correlationId: null,
      causationId: null,
      topic: definition.topic.name,
      partition,
      offset: this.#version - 1,
    };
    return this.model.evolve(state, this.model.frozen(recorded));
  }
}

/** A given event is as valid as a decided one, or the test would begin with a history that cannot be. */
function checkedGiven(model: AggregateModel, event: PlainEvent): DecidedEvent {
  if (typeof event === 'function') throw notAnEvent();
  const declared = model.events.get(event.type);
  if (!declared) {
    throw new KappaError('KAPPA_UNKNOWN_EVENT_TYPE', `topic ${model.definition.topic.name} does not hold ${event.type}`, {
      nextStep: 'Give events of the aggregate’s own topic.',
    });
  }
  const shape = declared.versions[declared.version - 1]?.shape;
  const data = shape ? checkedPayload(shape, event.data, `given event ${event.type}`) : event.data;
  assertJson(data, `given event ${event.type}`);
  return { type: event.type, version: declared.version, data };
}

/** As it comes back from the log: plain data, what is undefined left out. */
function plain(event: PlainEvent): PlainEvent {
  return { type: event.type, data: JSON.parse(JSON.stringify(event.data ?? null)) as unknown };
}

function notAnEvent(): KappaError {
  return new KappaError('KAPPA_NOT_AN_EVENT', 'an event type stands where an event belongs, or when(…) itself was awaited', {
    nextStep: 'Make an event by calling its type, and end with .then(…events), .thenRefused(code) or .thenNothing().',
  });
}
