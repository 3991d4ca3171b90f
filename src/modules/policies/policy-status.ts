import type { Database } from '../../database/database.js';
import { NO_LETTERS } from '../../database/dead-letters/dead-letter.js';
import type { DeadLetterStore } from '../../database/dead-letters/dead-letter-store.js';
import { topicName } from '../../kernel/names.js';
import { KappaError } from '../../kernel/errors.js';
import { didYouMean } from '../../kernel/did-you-mean.js';
import { distance, partitionKey, type PartitionKey, type Position } from '../../kernel/position.js';
import type { EventLog } from '../../log/event-log.js';
import { ownGroupPrefix } from '../../log/postgres/log-identity.js';
import { movesToFit, type AcceptedMove } from './accept-log.js';
import { PolicyOperations, type AcceptOptions, type PolicyStatus } from './operations.js';
import type { PolicyPartition, PolicyProgress } from './policy-progress.js';
import { policyGroup } from './policy-group.js';
import { policyOwner } from './policy-owner.js';
import type { PolicyDefinition } from './policy.js';

/** The operations on policies, over their progress and the ends of the log. */
export class PolicyStatusReader extends PolicyOperations {
  constructor(
    private readonly database: Database,
    private readonly log: Pick<EventLog, 'identity' | 'describeTopic' | 'offsets' | 'groups'>,
    private readonly progress: PolicyProgress,
    private readonly letters: Pick<DeadLetterStore, 'counts'>,
    private readonly policies: readonly PolicyDefinition[],
  ) {
    super();
  }

  async status(names: readonly string[] = []): Promise<readonly PolicyStatus[]> {
    const known = (await this.progress.list()).filter(({ name }) => names.length === 0 || names.includes(name));
    const lines = await Promise.all(known.map(({ name }) => this.progress.partitions(name)));
    const ends = await this.#endsOf(lines.flat());
    const prefix = await ownGroupPrefix(this.database);
    const runners = await Promise.all(known.map(({ name }) => this.#membersOf(policyGroup(prefix, name))));
    const letters = await this.letters.counts(known.map(({ name }) => policyOwner(name)));
    return known.map(({ name, startAt, error }, at) => {
      const progress = lines[at] ?? [];
      return {
        name,
        declared: this.policies.some((policy) => policy.name === name),
        startAt,
        progress,
        runners: runners[at] ?? 0,
        behind: behind(progress, ends),
        refused: progress.reduce((sum, line) => sum + line.refused, 0),
        letters: letters.get(policyOwner(name)) ?? NO_LETTERS,
        error,
      };
    });
  }

  async accept(name: string, { at = 'end', dryRun = false }: AcceptOptions = {}): Promise<readonly AcceptedMove[]> {
    await this.#assertKnown(name);
    const topics = await movesToFit(name, at, this.log, this.progress);
    if (!dryRun) await this.progress.accept(name, topics, await this.log.identity());
    return topics.flatMap(({ moves }) => moves);
  }

  async #membersOf(group: string): Promise<number> {
    return (await this.log.groups.describe(group))?.members.length ?? 0;
  }

  async #assertKnown(name: string): Promise<void> {
    const known = (await this.progress.list()).map((policy) => policy.name);
    if (known.includes(name)) return;
    throw new KappaError(
      'KAPPA_UNKNOWN_POLICY',
      `there is no policy ${name}${known.length === 0 ? '' : didYouMean(name, known)}`,
      { facts: { policy: name, policies: known }, nextStep: '`npx nest-kappa policies list` shows all.' },
    );
  }

  /** Where the log ends, of the topics that it still has. */
  async #endsOf(lines: readonly PolicyPartition[]): Promise<Position> {
    const ends: Record<PartitionKey, number> = {};
    for (const name of new Set(lines.map(({ topic }) => topicName(topic)))) {
      if ((await this.log.describeTopic(name)) === null) continue;
      for (const { partition, end } of await this.log.offsets(name)) ends[partitionKey(name, partition)] = end;
    }
    return ends;
  }
}

function behind(progress: readonly PolicyPartition[], ends: Position): number {
  const reached: Record<PartitionKey, number> = {};
  const wanted: Record<PartitionKey, number> = {};
  for (const { topic, partition, nextOffset } of progress) {
    const key = partitionKey(topic, partition);
    reached[key] = nextOffset;
    wanted[key] = ends[key] ?? 0;
  }
  return distance(reached, wanted);
}
