import type { TopicName } from '../../kernel/names.js';
import { parsePartitionKey, type PartitionKey, type Position } from '../../kernel/position.js';
import type { MemberDescription } from '../log-groups.js';

/** What a group has to do with: what its members read, and what it has committed something of. By name. */
export function topicsOf(members: readonly MemberDescription[], committed: Position): readonly TopicName[] {
  const ofCommits = (Object.keys(committed) as PartitionKey[]).map((key) => parsePartitionKey(key).topic as TopicName);
  return [...new Set([...members.flatMap(({ topics }) => topics), ...ofCommits])].sort();
}
