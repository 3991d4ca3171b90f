import { didYouMean } from '../../kernel/did-you-mean.js';
import { KappaError } from '../../kernel/errors.js';
import { assertJson, checkedPayload } from '../../kernel/payload.js';
import type { CommandHandler, DecideContext } from './aggregate.js';
import type { AggregateModel } from './aggregate-model.js';

/** An event that was decided and checked, in the declared version it is written in. */
export class DecidedEvent {
  constructor(
    readonly type: string,
    readonly version: number,
    readonly data: unknown,
  ) {}
}

/**
 * Runs a decide and checks what it returns: an array of events of the aggregate's topic whose payloads are valid JSON.
 * @throws whatever decide throws, a Refusal first of all; KAPPA_BAD_DECISION, KAPPA_INVALID_PAYLOAD, KAPPA_NOT_JSON
 */
export function decideCommand(
  model: AggregateModel,
  handler: CommandHandler,
  command: object,
  state: unknown,
  context: DecideContext<unknown>,
): readonly DecidedEvent[] {
  const decided: unknown = handler.decide(command, state, context);
  if (!Array.isArray(decided)) {
    const promised = typeof (decided as { then?: unknown } | null | undefined)?.then === 'function';
    throw badDecision(
      model,
      handler,
      promised ? 'returned a promise' : `returned ${describe(decided)}`,
      promised
        ? 'decide is pure: do I/O in prepare, whose result is context.facts.'
        : 'Return an array of events, [] for none.',
    );
  }
  return decided.map((event: unknown, index) => checkedEvent(model, handler, event, index));
}

function checkedEvent(model: AggregateModel, handler: CommandHandler, event: unknown, index: number): DecidedEvent {
  const { type, data } = (typeof event === 'object' && event !== null ? event : {}) as {
    readonly type?: unknown;
    readonly data?: unknown;
  };
  if (typeof type !== 'string') {
    throw badDecision(
      model,
      handler,
      `returned ${describe(event)} at [${index}]`,
      `Call the event: ${[...model.events.keys()][0] ?? 'SomethingHappened'} and its payload make one.`,
    );
  }
  const declared = model.events.get(type);
  if (!declared) {
    const known = [...model.events.keys()];
    throw badDecision(
      model,
      handler,
      `returned ${type}, which topic ${model.definition.topic.name} does not hold${didYouMean(type, known)}`,
      'List the event in the topic.',
    );
  }
  const shape = declared.versions[declared.version - 1]?.shape;
  const checked = shape ? checkedPayload(shape, data, `event ${type}`) : data;
  assertJson(checked, `event ${type}`);
  return new DecidedEvent(type, declared.version, checked ?? null);
}

function badDecision(model: AggregateModel, handler: CommandHandler, what: string, nextStep: string): KappaError {
  return new KappaError('KAPPA_BAD_DECISION', `decide of ${handler.commandName} (aggregate ${model.definition.name}) ${what}`, {
    facts: { aggregate: model.definition.name, command: handler.commandName },
    nextStep,
  });
}

function describe(value: unknown): string {
  if (value === null || value === undefined) return String(value);
  return Array.isArray(value)
    ? 'an array'
    : typeof value === 'object'
      ? `an object (${value.constructor?.name ?? 'no class'})`
      : `a ${typeof value}`;
}
