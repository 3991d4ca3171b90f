import { bigintArray, intArray } from '../../database/binary-arrays.js';
import { asRetriable } from '../../database/database-errors.js';
import type { Database } from '../../database/database.js';
import type { TopicName } from '../../kernel/names.js';
import { parsePartitionKey, type PartitionKey, type Position } from '../../kernel/position.js';
import { topicsOf } from '../groups/described-topics.js';
import { groupActive, type GroupDescription, type LogGroups, type MemberDescription } from '../log-groups.js';
import { assertPartition } from '../record-groups.js';
import type { TopicCatalog } from './topic-catalog.js';

/** $1: the group, or null for all. A member whose lease has ended is gone, though its row may stay for a while. */
const MEMBERS = `
  select m.group_name as "group", m.member::text as member, m.topics,
         array(
           select t.name || '/' || p.partition
           from group_partitions p join topics t on t.name = any (m.topics) and p.partition < t.partitions
           where p.group_name = m.group_name and p.owner = m.member
           order by t.name, p.partition
         ) as partitions
  from group_members m
  where m.lease_until > clock_timestamp() and ($1::text is null or m.group_name = $1)
  order by m.group_name, m.member`;

const COMMITTED = `
  select o.group_name as "group", t.name || '/' || o.partition as key, o.next_offset as next
  from group_offsets o join topics t on t.id = o.topic_id
  where $1::text is null or o.group_name = $1`;

/** Nothing where somebody is in the group. */
const SEEK = `
  insert into group_offsets (group_name, topic_id, partition, next_offset)
  select $1, w.topic_id, w.partition, w.next_offset
  from unnest($2::int[], $3::int[], $4::bigint[]) as w (topic_id, partition, next_offset)
  where not exists (
    select 1 from group_members m where m.group_name = $1 and m.lease_until > clock_timestamp()
  )
  on conflict (group_name, topic_id, partition) do update set next_offset = excluded.next_offset`;

/** The groups as their rows show them. */
export class PostgresGroups implements LogGroups {
  constructor(
    private readonly database: Database,
    private readonly topics: TopicCatalog,
  ) {}

  list(): Promise<readonly GroupDescription[]> {
    return this.#describe(null);
  }

  async describe(group: string): Promise<GroupDescription | null> {
    return (await this.#describe(group))[0] ?? null;
  }

  async seek(group: string, position: Position): Promise<void> {
    const places = (Object.entries(position) as [PartitionKey, number][]).map(([key, next]) => {
      const { topic, partition } = parsePartitionKey(key);
      return { topic: topic as TopicName, partition, next };
    });
    if (places.length === 0) return;
    const topics = await this.topics.resolve(places.map(({ topic }) => topic));
    const ids = places.map(({ topic, partition }) => {
      const { id, partitions } = topics.get(topic) ?? { id: 0, partitions: 0 };
      assertPartition(topic, partition, partitions);
      return id;
    });
    const { rowCount } = await this.#query(SEEK, [
      group,
      intArray(ids),
      intArray(places.map(({ partition }) => partition)),
      bigintArray(places.map(({ next }) => next)),
    ]);
    if (rowCount === 0) throw groupActive(group, null);
  }

  async #describe(group: string | null): Promise<readonly GroupDescription[]> {
    const members = new Map<string, MemberDescription[]>();
    const committed = new Map<string, Record<PartitionKey, number>>();
    const seated = await this.#query<MemberDescription & { readonly group: string }>(MEMBERS, [group]);
    for (const { group: name, member, topics, partitions } of seated.rows)
      members.set(name, [...(members.get(name) ?? []), { member, client: null, topics, partitions }]);
    const offsets = await this.#query<{ group: string; key: PartitionKey; next: number }>(COMMITTED, [group]);
    for (const { group: name, key, next } of offsets.rows) committed.set(name, { ...committed.get(name), [key]: next });
    return [...new Set([...members.keys(), ...committed.keys()])].sort().map((name) => {
      const [present, position] = [members.get(name) ?? [], committed.get(name) ?? {}];
      return { group: name, members: present, topics: topicsOf(present, position), committed: position };
    });
  }

  async #query<Row extends object>(text: string, values: readonly unknown[]): ReturnType<typeof this.database.query<Row>> {
    try {
      return await this.database.query<Row>(text, values);
    } catch (error) {
      throw asRetriable(error, 'the look at the consumer groups');
    }
  }
}
