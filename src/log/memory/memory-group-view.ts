import type { TopicName } from '../../kernel/names.js';
import { parsePartitionKey, partitionKey, type PartitionKey, type Position } from '../../kernel/position.js';
import { assertPartition, unknownTopic } from '../record-groups.js';
import { groupActive, type GroupDescription, type LogGroups, type MemberDescription } from '../log-groups.js';
import { topicsOf } from '../groups/described-topics.js';
import type { MemoryCluster } from './memory-cluster.js';
import type { SeatedMember } from './memory-groups.js';

/** The groups of a memory cluster, seen from outside. */
export class MemoryGroupView implements LogGroups {
  constructor(private readonly cluster: MemoryCluster) {}

  async list(): Promise<readonly GroupDescription[]> {
    const names = [...new Set([...this.cluster.groups.names, ...this.cluster.committed.keys()])].sort();
    return names.map((name) => this.#describe(name));
  }

  async describe(group: string): Promise<GroupDescription | null> {
    const described = this.#describe(group);
    return described.topics.length === 0 ? null : described;
  }

  async seek(group: string, position: Position): Promise<void> {
    const members = this.cluster.groups.members(group).length;
    if (members > 0) throw groupActive(group, members);
    for (const key of Object.keys(position) as PartitionKey[]) {
      const { topic, partition } = parsePartitionKey(key);
      const found = this.cluster.topics.get(topic as TopicName);
      if (!found) throw unknownTopic(topic as TopicName);
      assertPartition(found.name, partition, found.partitions);
    }
    this.cluster.commitOffsets(group, position);
  }

  #describe(group: string): GroupDescription {
    const members = this.cluster.groups.members(group).map((member) => this.#memberOf(member));
    const committed = { ...this.cluster.committed.get(group) };
    return { group, members, topics: topicsOf(members, committed), committed };
  }

  #memberOf({ member, topics, numbers }: SeatedMember): MemberDescription {
    const partitions = topics.flatMap((topic) =>
      numbers
        .filter((number) => number < (this.cluster.topics.get(topic)?.partitions ?? 0))
        .map((number) => partitionKey(topic, number)),
    );
    return { member, client: null, topics, partitions };
  }
}
