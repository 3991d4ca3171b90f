import type { Codec } from '../../kernel/codec.js';
import { deepFreeze } from '../../kernel/deep-freeze.js';
import { HEADER } from '../../kernel/envelope.js';
import { KappaError } from '../../kernel/errors.js';
import { EventDecoder } from '../../kernel/event-decoder.js';
import type { AnyRecorded } from '../../kernel/event.js';
import type { TopicName } from '../../kernel/names.js';
import type { LogRecord } from '../../kernel/record.js';
import type { Inject } from '../aggregates/aggregate.js';
import { commandName, type CommandClass, type ExecuteOptions } from '../aggregates/command.js';
import { commandId } from './command-id.js';
import type { CommandWithOptions, PolicyDefinition, PolicyHandler } from './policy.js';

/** A command as it is to be executed. */
export interface PolicyCommand {
  readonly command: object;
  readonly options: ExecuteOptions;
}

/** A policy compiled: what the engine and the testing kit run. */
export class PolicyPlan {
  /** `policy send-receipts` */
  readonly label: string;
  readonly topics: readonly TopicName[];
  readonly #handlers = new Map<string, PolicyHandler[]>();
  readonly #decoder: EventDecoder;
  readonly #freeze: boolean;

  constructor(
    readonly definition: PolicyDefinition,
    codec: Codec,
    options: { readonly freeze?: boolean } = {},
  ) {
    this.label = `policy ${definition.name}`;
    this.topics = definition.from.map((topic) => topic.name);
    for (const handler of definition.handlers)
      this.#handlers.set(handler.type, [...(this.#handlers.get(handler.type) ?? []), handler]);
    this.#decoder = new EventDecoder(definition.from, codec);
    this.#freeze = options.freeze ?? process.env['NODE_ENV'] !== 'production';
  }

  /**
   * Whether any handler may want the record; from its header alone, save for what only `decode` of its topic can tell. What has no
   * type is wanted: it is at fault.
   */
  wants(record: LogRecord): boolean {
    const type = record.headers[HEADER.type];
    return type === undefined || this.#handlers.has(type) || this.#decoder.isForeign(record);
  }

  /**
   * Null for a foreign record that `decode` of its topic passes over.
   * @throws what {@link EventDecoder.decode} and {@link EventDecoder.decodeForeign} throw
   */
  decode(record: LogRecord): AnyRecorded | null {
    const event = this.#decoder.isForeign(record) ? this.#decoder.decodeForeign(record) : this.#decoder.decode(record);
    if (this.#freeze && event !== null) deepFreeze(event.data);
    return event;
  }

  /** Runs the handlers of the event in the order of their declaration, and gives their commands ids and causes; none for null. */
  async react(event: AnyRecorded | null, inject: Inject): Promise<readonly PolicyCommand[]> {
    if (event === null) return [];
    const commands: CommandWithOptions[] = [];
    for (const handler of this.#handlers.get(event.type) ?? [])
      commands.push(...this.#commandsIn(await handler.react(event, inject), event));
    const seen = new Map<string, number>();
    return commands.map(({ command, options }) => {
      const name = commandName(command.constructor as CommandClass);
      const number = (seen.get(name) ?? 0) + 1;
      seen.set(name, number);
      return {
        command,
        options: this.#optionsOf(event, options ?? {}, commandId(this.definition.name, event.id, name, number)),
      };
    });
  }

  #optionsOf(event: AnyRecorded, given: CommandWithOptions['options'], id: string): ExecuteOptions {
    return {
      tenant: event.tenant,
      principal: this.label,
      correlationId: event.correlationId ?? event.id,
      ...given,
      causationId: event.id,
      idempotencyKey: id,
    };
  }

  /** @throws KAPPA_BAD_REACTION for an answer that is neither nothing nor commands */
  #commandsIn(answer: unknown, event: AnyRecorded): readonly CommandWithOptions[] {
    if (answer === undefined || answer === null) return [];
    const list: readonly unknown[] = Array.isArray(answer) ? answer : [answer];
    return list
      .filter((each) => each !== undefined && each !== null)
      .map((each) => {
        if (typeof each !== 'object') throw this.#badReaction(event, each);
        return isWithOptions(each) ? each : { command: each };
      });
  }

  #badReaction(event: AnyRecorded, answer: unknown): KappaError {
    const { name } = this.definition;
    const shown = typeof answer === 'function' ? `the function ${answer.name}` : (JSON.stringify(answer) ?? String(answer));
    return new KappaError('KAPPA_BAD_REACTION', `policy ${name} answers ${event.type} with ${shown.slice(0, 80)}, no command`, {
      facts: { policy: name, type: event.type, event: event.id },
      nextStep: 'Return nothing, an instance of a command class, or a list of them.',
    });
  }
}

/** Commands are instances of classes, so a plain object with a `command` is meant to bring options. */
function isWithOptions(value: object): value is CommandWithOptions {
  return (
    Object.getPrototypeOf(value) === Object.prototype &&
    'command' in value &&
    typeof value.command === 'object' &&
    value.command !== null
  );
}
