/** A member as it joined. */
export interface Claimant {
  readonly member: string;
  /** Partition numbers that it holds, or was given and may take up at any moment. */
  readonly owned: readonly number[];
  /** Of the group, when it was given them: of two that claim one number the later is right. */
  readonly generation: number;
}

/**
 * Gives each member its partition numbers. Shares differ by at most one, no number moves that need not, and one that moves is
 * given to nobody until its owner has let go and joined again (the cooperative protocol, KIP-429): until then its owner goes on,
 * and nobody else stops.
 */
export function assignNumbers(members: readonly Claimant[], numbers: number): ReadonlyMap<string, readonly number[]> {
  const owners = ownersOf(members, numbers);
  const owned = new Map(members.map(({ member }) => [member, [] as number[]]));
  owners.forEach((owner, number) => owner !== null && owned.get(owner)?.push(number));
  // Who has more may keep one more, where they do not divide evenly.
  const inOrder = [...owned.keys()].sort((a, b) => sizeOf(owned, b) - sizeOf(owned, a) || (a < b ? -1 : 1));
  const targets = new Map<string, number[]>();
  const free = owners.flatMap((owner, number) => (owner === null ? [number] : []));
  inOrder.forEach((member, index) => {
    const share = Math.floor(numbers / inOrder.length) + (index < numbers % inOrder.length ? 1 : 0);
    const own = owned.get(member) ?? [];
    targets.set(member, own.slice(0, share));
    free.push(...own.slice(share));
  });
  inOrder.forEach((member, index) => {
    const share = Math.floor(numbers / inOrder.length) + (index < numbers % inOrder.length ? 1 : 0);
    const target = targets.get(member) ?? [];
    target.push(...free.splice(0, share - target.length));
  });
  return new Map(
    [...targets].map(([member, target]) => [
      member,
      target.filter((number) => owners[number] === null || owners[number] === member).sort((a, b) => a - b),
    ]),
  );
}

function ownersOf(members: readonly Claimant[], numbers: number): readonly (string | null)[] {
  return Array.from({ length: numbers }, (_, number) => {
    const claims = members.filter(({ owned }) => owned.includes(number)).sort((a, b) => b.generation - a.generation);
    return claims[0]?.member ?? null;
  });
}

function sizeOf(owned: ReadonlyMap<string, readonly number[]>, member: string): number {
  return owned.get(member)?.length ?? 0;
}
