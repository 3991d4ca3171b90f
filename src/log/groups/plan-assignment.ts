/** A consumer group as it stood when it was last looked at. */
export interface GroupState {
  /** Members whose lease holds, sorted. */
  readonly members: readonly string[];
  /** The owner of each partition number, null where it has none. An owner that is no live member owns nothing. */
  readonly owners: readonly (string | null)[];
}

export interface AssignmentPlan {
  /** Held, but owned by nobody or by another already. */
  readonly lost: readonly number[];
  /** Held beyond this member's share, for others to take. */
  readonly giveUp: readonly number[];
  /** Free and within this member's share. */
  readonly claim: readonly number[];
  /** Owned by this member, but not held yet. */
  readonly adopt: readonly number[];
}

/**
 * What a member does about its partition numbers: every member computes this for itself from the same state, without a
 * coordinator. Shares differ by at most one, and no number moves that need not: only what a member holds beyond its share.
 */
export function planAssignment(me: string, held: readonly number[], state: GroupState): AssignmentPlan {
  const index = state.members.indexOf(me);
  if (index < 0) return { lost: held, giveUp: [], claim: [], adopt: [] };
  const numbers = state.owners.map((_, number) => number);
  const own = numbers.filter((number) => state.owners[number] === me);
  const lost = held.filter((number) => state.owners[number] !== me);
  const kept = held.filter((number) => state.owners[number] === me);
  const adopt = own.filter((number) => !held.includes(number));
  const share = shareOf(index, state.members.length, numbers.length);
  const surplus = own.length - share;
  if (surplus > 0) {
    const giveUp = kept.toSorted((a, b) => b - a).slice(0, surplus);
    return { lost, giveUp, claim: [], adopt };
  }
  const live = new Set(state.members);
  const free = numbers.filter((number) => {
    const owner = state.owners[number];
    return owner === null || owner === undefined || !live.has(owner);
  });
  return { lost, giveUp: [], claim: free.slice(0, -surplus), adopt };
}

function shareOf(index: number, members: number, partitions: number): number {
  return Math.floor(partitions / members) + (index < partitions % members ? 1 : 0);
}
