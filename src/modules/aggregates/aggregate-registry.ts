import type { Queryable } from '../../database/database.js';
import type { Codec } from '../../kernel/codec.js';
import { didYouMean } from '../../kernel/did-you-mean.js';
import { KappaError } from '../../kernel/errors.js';
import type { TopicName } from '../../kernel/names.js';
import type { EventLog } from '../../log/event-log.js';
import type { AggregateDefinition, CommandHandler } from './aggregate.js';
import { AggregateModel } from './aggregate-model.js';
import { commandName } from './command.js';

const BIND = `
  with bound as (
    insert into aggregates (name, topic) select * from unnest($1::text[], $2::text[]) on conflict (name) do nothing returning name, topic
  )
  select name, topic from bound
  union
  select name, topic from aggregates where name = any ($1)`;
const TOPIC_IDS = 'select id, name from topics where name = any ($1)';

/** Which aggregate decides a command. */
export interface CommandRoute {
  readonly model: AggregateModel;
  readonly handler: CommandHandler;
}

/** The aggregates of an application, found by the class of a command, and the numbers of their topics once they are bound. */
export class AggregateRegistry {
  readonly #models: readonly AggregateModel[];
  readonly #routes = new Map<unknown, CommandRoute>();
  readonly #topicIds = new Map<TopicName, number>();

  /** @throws KAPPA_BAD_AGGREGATE for a name or a command that two aggregates have. */
  constructor(definitions: readonly AggregateDefinition[], codec: Codec, freeze: boolean) {
    this.#models = definitions.map((definition) => new AggregateModel(definition, codec, freeze));
    const names = definitions.map(({ name }) => name);
    const twice = names.find((name, index) => names.indexOf(name) !== index);
    if (twice !== undefined) throw badAggregate(twice, 'is declared twice', 'Give each aggregate its own name.');
    for (const model of this.#models) {
      for (const handler of model.definition.commands) {
        const other = this.#routes.get(handler.command);
        if (other)
          throw badAggregate(
            model.definition.name,
            `decides ${handler.commandName}, as ${other.model.definition.name} does`,
            'A command belongs to one aggregate.',
          );
        this.#routes.set(handler.command, { model, handler });
      }
    }
  }

  /** @throws KAPPA_UNKNOWN_COMMAND */
  route(command: unknown): CommandRoute {
    const type: unknown =
      typeof command === 'object' && command !== null ? (command as { readonly constructor?: unknown }).constructor : undefined;
    const found = this.#routes.get(type);
    if (found) return found;
    const known = [...this.#routes.values()].map(({ handler }) => handler.commandName);
    const isClass = typeof type === 'function' && type !== Object && type !== Array;
    const name = isClass ? commandName(type as never) : (JSON.stringify(command) ?? typeof command);
    throw new KappaError(
      'KAPPA_UNKNOWN_COMMAND',
      isClass
        ? `no aggregate decides ${name}${known.length > 0 ? didYouMean(name, known) : ''}`
        : `${name.slice(0, 80)} is not an instance of a command class`,
      {
        facts: { command: name.slice(0, 200), known },
        nextStep: isClass
          ? 'Add .decide(…) to its aggregate, and list that aggregate in forFeature({ aggregates: […] }).'
          : 'Execute `new YourCommand(…)`, or plainToInstance(YourCommand, …).',
      },
    );
  }

  model(aggregate: string): AggregateModel {
    const found = this.#models.find(({ definition }) => definition.name === aggregate);
    if (found) return found;
    const known = this.#models.map(({ definition }) => definition.name);
    throw new KappaError(
      'KAPPA_UNKNOWN_AGGREGATE',
      `there is no aggregate ${aggregate}${known.length > 0 ? didYouMean(aggregate, known) : ''}`,
      {
        facts: { aggregate, known },
        nextStep: 'Name one that is declared.',
      },
    );
  }

  topicId(model: AggregateModel): number {
    const id = this.#topicIds.get(model.definition.topic.name);
    if (id === undefined)
      throw new KappaError('KAPPA_NOT_STARTED', 'commands are not started', { nextStep: 'Await start() first.' });
    return id;
  }

  /**
   * Creates the topics where they do not stand yet, and binds each aggregate to its own for ever.
   * @throws KAPPA_AGGREGATE_MOVED, KAPPA_TOPIC_MISMATCH
   */
  async bind(database: Queryable, log: Pick<EventLog, 'createTopic'>): Promise<void> {
    if (this.#models.length === 0) return;
    for (const { definition } of this.#models) await log.createTopic(definition.topic);
    const topics = this.#models.map(({ definition }) => definition.topic.name);
    const { rows: bound } = await database.query<{ name: string; topic: string }>(BIND, [
      this.#models.map(({ definition }) => definition.name),
      topics,
    ]);
    for (const { definition } of this.#models) {
      const topic = bound.find(({ name }) => name === definition.name)?.topic;
      if (topic !== undefined && topic !== definition.topic.name) throw movedAggregate(definition, topic);
    }
    const { rows } = await database.query<{ id: number; name: TopicName }>(TOPIC_IDS, [topics]);
    for (const { id, name } of rows) this.#topicIds.set(name, id);
  }
}

function movedAggregate({ name, topic }: AggregateDefinition, bound: string): KappaError {
  return new KappaError('KAPPA_AGGREGATE_MOVED', `aggregate ${name} writes to topic ${bound}, the code says ${topic.name}`, {
    facts: { aggregate: name, bound, declared: topic.name },
    nextStep: `Declare topic ${bound} again, or give the aggregate another name: under another topic its streams would begin anew.`,
  });
}

function badAggregate(name: string, what: string, nextStep: string): KappaError {
  return new KappaError('KAPPA_BAD_AGGREGATE', `aggregate ${name} ${what}`, { facts: { aggregate: name }, nextStep });
}
