import { KappaError } from '../kernel/errors.js';
import type { TopicName } from '../kernel/names.js';
import type { PartitionKey, Position } from '../kernel/position.js';

/**
 * Consumer groups seen from outside: who reads what, and how far each has committed. Positions are in log offsets, also those of
 * clients that know Kafka's offsets alone.
 */
export interface LogGroups {
  /** Those that have members or have committed something, by name. */
  list(): Promise<readonly GroupDescription[]>;
  /** Null for a group that has neither members nor anything committed. */
  describe(group: string): Promise<GroupDescription | null>;
  /**
   * Sets what an idle group has committed; partitions that are not named stay where they are. Its next members start there.
   * @throws KAPPA_GROUP_ACTIVE while it has members; KAPPA_UNKNOWN_TOPIC, KAPPA_UNKNOWN_PARTITION
   */
  seek(group: string, position: Position): Promise<void>;
}

export interface GroupDescription {
  readonly group: string;
  readonly members: readonly MemberDescription[];
  /** Those that members read or that something is committed of, by name. */
  readonly topics: readonly TopicName[];
  /** By sessions, and by other clients of the log; partitions without a commit are absent. */
  readonly committed: Position;
}

export interface MemberDescription {
  readonly member: string;
  /** What it calls itself; null where the log is not told. */
  readonly client: string | null;
  readonly topics: readonly TopicName[];
  /** What it owns. */
  readonly partitions: readonly PartitionKey[];
}

export function groupActive(group: string, members: number | null): KappaError {
  const who = members === null ? 'members' : members === 1 ? 'a member' : `${members} members`;
  return new KappaError('KAPPA_GROUP_ACTIVE', `group ${group} has ${who}, which would go on from where they are`, {
    facts: { group, members },
    nextStep: 'Stop its consumers, then try again.',
  });
}
