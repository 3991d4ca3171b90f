import type { Database } from '../../../database/database.js';
import type { DeadLetterOptions } from '../../../database/dead-letters/letter-policy.js';
import type { Codec } from '../../../kernel/codec.js';
import type { Logger } from '../../../kernel/logger.js';
import type { EventLog } from '../../../log/event-log.js';
import type { Inject } from '../../aggregates/aggregate.js';
import type { Commands } from '../../aggregates/command.js';
import { PolicyPlan } from '../policy-plan.js';
import type { PolicyProgress } from '../policy-progress.js';
import type { PolicyDefinition } from '../policy.js';
import { PolicyRunner } from './policy-runner.js';

export interface PolicyEngineOptions {
  readonly database: Database;
  readonly log: EventLog;
  readonly progress: PolicyProgress;
  /** Carries out what handlers answer. */
  readonly commands: Pick<Commands, 'execute'>;
  readonly policies: readonly PolicyDefinition[];
  /** Gives handlers their services. */
  readonly inject: Inject;
  readonly codec: Codec;
  readonly logger: Logger;
  /** What becomes of events that fail, where a policy does not say so itself. */
  readonly deadLetters?: DeadLetterOptions;
}

/** Runs the policies of one process, each by itself; any number of processes share their partitions. */
export class PolicyEngine {
  readonly #runners: readonly PolicyRunner[];

  constructor({ policies, codec, deadLetters, ...options }: PolicyEngineOptions) {
    this.#runners = policies.map(
      (definition) =>
        new PolicyRunner({ ...options, deadLetters: deadLetters ?? null, plan: new PolicyPlan(definition, codec) }),
    );
  }

  /** Policies that were halted in this process. */
  get halted(): readonly string[] {
    return this.#runners.flatMap(({ name, halted }) =>
      halted ? [`policy ${name} is halted (${halted.code}); \`npx nest-kappa policies list\` shows why`] : [],
    );
  }

  /** Events that are being handled now, in words. */
  get underWay(): readonly string[] {
    return this.#runners.flatMap(({ name, underWay }) => underWay.map((event) => `policy ${name} handles ${event}`));
  }

  start(): void {
    for (const runner of this.#runners) runner.start();
  }

  /** Lets the events under way end. May be called twice. */
  async stop(): Promise<void> {
    await Promise.all(this.#runners.map((runner) => runner.stop()));
  }
}
