import type { Queryable } from '../../../database/database.js';
import type { TopicName } from '../../../kernel/names.js';

const ALL = 'select distinct topic from aggregates order by topic';

/** The topics that aggregates write to, whichever process bound them: those that are relayed where another log carries them. */
export async function relayedTopics(database: Queryable): Promise<readonly TopicName[]> {
  const { rows } = await database.query<{ topic: TopicName }>(ALL);
  return rows.map(({ topic }) => topic);
}

/** Knows whether a topic is relayed. An aggregate is bound for ever, so that only a no is asked for again. */
export class RelayedTopics {
  readonly #known: Set<TopicName>;

  /** `declared`: what this process binds itself. */
  constructor(
    private readonly database: Queryable,
    declared: Iterable<TopicName>,
  ) {
    this.#known = new Set(declared);
  }

  async has(topic: TopicName): Promise<boolean> {
    if (this.#known.has(topic)) return true;
    for (const found of await relayedTopics(this.database)) this.#known.add(found);
    return this.#known.has(topic);
  }
}
