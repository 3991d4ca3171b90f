import type { Database } from '../../../database/database.js';
import { didYouMean } from '../../../kernel/did-you-mean.js';
import { KappaError } from '../../../kernel/errors.js';
import { topicName, type TopicName } from '../../../kernel/names.js';
import type { EventLog } from '../../../log/event-log.js';
import { relayStatus, type RelayLag } from './relay-status.js';
import { verifyRelay, type RelayVerification, type VerifyOptions } from './relay-verify.js';
import { relayedTopics } from './relayed-topics.js';
import type { Outbox } from './relay.js';
import { restartRelay } from './restart-relay.js';

export interface RelayOperationsOptions {
  readonly database: Database;
  readonly outbox: Outbox;
  readonly log: EventLog;
}

/** Operations on the relay for an operator's code: what the `kappa relay` command is a thin client of. Injected by its class. */
export class RelayOperations {
  constructor(private readonly options: RelayOperationsOptions) {}

  /** False where PostgreSQL carries the log: nothing is relayed then. */
  get relays(): boolean {
    return (this.options.log as unknown) !== this.options.outbox;
  }

  /** How far each partition is relayed. Empty where nothing is relayed. */
  async status(): Promise<readonly RelayLag[]> {
    return this.relays ? relayStatus(this.options) : [];
  }

  /**
   * Compares rows and topic, one topic after the other; yields progress, the last of each topic with `done`.
   * @throws KAPPA_NOTHING_RELAYED, KAPPA_UNKNOWN_TOPIC
   */
  async *verify(topics: readonly string[] = [], options: VerifyOptions = {}): AsyncGenerator<RelayVerification> {
    for (const topic of await this.#chosen(topics)) yield* verifyRelay(this.options, topic, options);
  }

  /** @throws KAPPA_RELAY_TOPIC_NOT_EMPTY, KAPPA_NOTHING_RELAYED, KAPPA_UNKNOWN_TOPIC */
  async restart(topic: string): Promise<void> {
    const { database, outbox, log } = this.options;
    for (const name of await this.#chosen([topic])) await restartRelay({ schema: database.schema, outbox, log }, name);
  }

  async #chosen(names: readonly string[]): Promise<readonly TopicName[]> {
    if (!this.relays) {
      throw new KappaError('KAPPA_NOTHING_RELAYED', 'PostgreSQL carries the log: what is appended stands in it at once', {
        nextStep: 'Give the options that name another log, like log: kafka({ brokers }).',
      });
    }
    const all = await relayedTopics(this.options.database);
    const unknown = names.find((name) => !all.some((topic) => topic === name));
    if (unknown !== undefined) {
      throw new KappaError('KAPPA_UNKNOWN_TOPIC', `no aggregate writes to ${unknown}${didYouMean(unknown, all)}`, {
        facts: { topic: unknown, topics: all },
        nextStep: 'Name topics that `npx nest-kappa relay status` shows.',
      });
    }
    return names.length === 0 ? all : names.map(topicName);
  }
}
