import type { Queryable } from '../../database/database.js';
import type { TopicName } from '../../kernel/names.js';
import type { Retention } from '../../kernel/topic.js';
import type { TopicDescription, TopicSpec } from '../event-log.js';
import { unknownTopic } from '../record-groups.js';
import { topicMismatch } from '../topic-mismatch.js';

/** A topic with the number its rows carry. */
export interface StoredTopic extends TopicDescription {
  readonly id: number;
}

interface TopicRow {
  readonly id: number;
  readonly name: TopicName;
  readonly partitions: number;
  readonly retention_ms: number | null;
  readonly retention_bytes: number | null;
  readonly incarnation: string;
}

const COLUMNS = 'id, name, partitions, retention_ms, retention_bytes, incarnation';
const ALL = `select ${COLUMNS} from topics order by name`;
const NAMED = `select ${COLUMNS} from topics where name = any ($1)`;
const CREATE = `
  insert into topics (name, partitions, retention_ms, retention_bytes) values ($1, $2, $3, $4)
  on conflict (name) do nothing`;
const CHANGE_RETENTION = `
  update topics set retention_ms = $2, retention_bytes = $3
  where name = $1 and (retention_ms, retention_bytes) is distinct from ($2, $3)`;

/** The topics of this log. Number and partitions of a topic never change, so that they are asked for once. */
export class TopicCatalog {
  readonly #known = new Map<TopicName, StoredTopic>();

  constructor(private readonly database: Queryable) {}

  async create(spec: TopicSpec): Promise<StoredTopic> {
    const ms = spec.retention?.ms ?? null;
    const bytes = spec.retention?.bytes ?? null;
    // A look first: an insert that conflicts would use up a number at each start of the application.
    if (!(await this.describe(spec.name))) await this.database.query(CREATE, [spec.name, spec.partitions, ms, bytes]);
    const found = await this.describe(spec.name);
    if (!found) throw unknownTopic(spec.name);
    if (found.partitions !== spec.partitions) throw topicMismatch(spec, found.partitions);
    if ((found.retention?.ms ?? null) === ms && (found.retention?.bytes ?? null) === bytes) return found;
    await this.database.query(CHANGE_RETENTION, [spec.name, ms, bytes]);
    return (await this.describe(spec.name)) ?? found;
  }

  /** As it stands now. */
  async describe(name: TopicName): Promise<StoredTopic | null> {
    const { rows } = await this.database.query<TopicRow>(NAMED, [[name]]);
    return rows[0] ? this.#keep(rows[0]) : null;
  }

  async list(): Promise<readonly StoredTopic[]> {
    const { rows } = await this.database.query<TopicRow>(ALL);
    return rows.map((row) => this.#keep(row));
  }

  /** These topics by name; what is known is not asked for. @throws KAPPA_UNKNOWN_TOPIC */
  async resolve(names: Iterable<TopicName>): Promise<ReadonlyMap<TopicName, StoredTopic>> {
    const resolved = new Map<TopicName, StoredTopic>();
    const unknown = new Set<TopicName>();
    for (const name of names) {
      const topic = this.#known.get(name);
      if (topic) resolved.set(name, topic);
      else unknown.add(name);
    }
    if (unknown.size === 0) return resolved;
    const { rows } = await this.database.query<TopicRow>(NAMED, [[...unknown]]);
    for (const row of rows) resolved.set(row.name, this.#keep(row));
    for (const name of unknown) if (!resolved.has(name)) throw unknownTopic(name);
    return resolved;
  }

  /** @throws KAPPA_UNKNOWN_TOPIC */
  async get(name: TopicName): Promise<StoredTopic> {
    const topic = (await this.resolve([name])).get(name);
    if (!topic) throw unknownTopic(name);
    return topic;
  }

  #keep(row: TopicRow): StoredTopic {
    const topic: StoredTopic = {
      id: row.id,
      name: row.name,
      partitions: row.partitions,
      retention: retentionOf(row),
      incarnation: row.incarnation,
    };
    this.#known.set(topic.name, topic);
    return topic;
  }
}

function retentionOf({ retention_ms: ms, retention_bytes: bytes }: TopicRow): Retention | null {
  if (ms === null && bytes === null) return null;
  return { ...(ms === null ? {} : { ms }), ...(bytes === null ? {} : { bytes }) };
}

/** The topic without the number of its rows. */
export function descriptionOf({ name, partitions, retention, incarnation }: StoredTopic): TopicDescription {
  return { name, partitions, retention, incarnation };
}
