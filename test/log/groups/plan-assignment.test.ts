import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { planAssignment, type GroupState } from '../../../src/log/groups/plan-assignment.js';

/** Members that each follow their own plan, one after another, until none has anything left to do. Returns how many numbers moved. */
function settle(members: readonly string[], owners: (string | null)[]): number {
  let moved = 0;
  const held = new Map(
    members.map((member) => [member, owners.flatMap((owner, number) => (owner === member ? [number] : []))]),
  );
  for (let busy = true; busy;) {
    busy = false;
    for (const member of members) {
      const state: GroupState = { members, owners: [...owners] };
      const plan = planAssignment(member, held.get(member) ?? [], state);
      for (const number of plan.giveUp) owners[number] = null;
      for (const number of plan.claim) owners[number] = member;
      moved += plan.claim.length;
      busy ||= plan.giveUp.length + plan.claim.length + plan.adopt.length + plan.lost.length > 0;
      held.set(
        member,
        owners.flatMap((owner, number) => (owner === member ? [number] : [])),
      );
    }
  }
  return moved;
}

const group = fc.record({
  members: fc
    .uniqueArray(fc.string({ minLength: 1, maxLength: 3 }), { minLength: 1, maxLength: 6 })
    .map((names) => names.sort()),
  strangers: fc.array(fc.constantFrom(null, 'gone-1', 'gone-2', 'a', 'b', 'c'), { minLength: 1, maxLength: 24 }),
});

describe('the assignment plan', () => {
  it('gives every number to one live member, in shares that differ by at most one', () => {
    fc.assert(
      fc.property(group, ({ members, strangers }) => {
        const owners = [...strangers];
        settle(members, owners);
        const shares = members.map((member) => owners.filter((owner) => owner === member).length);
        expect(owners.every((owner) => owner !== null && members.includes(owner))).toBe(true);
        expect(Math.max(...shares) - Math.min(...shares)).toBeLessThanOrEqual(1);
      }),
    );
  });

  it('moves no more than a member needs that comes or goes', () => {
    fc.assert(
      fc.property(group, fc.string({ minLength: 4, maxLength: 4 }), ({ members, strangers }, comer) => {
        const owners = [...strangers];
        settle(members, owners);
        const more = [...members, comer].sort();
        const sharesBefore = Math.ceil(owners.length / members.length);
        // What the newcomer takes, and one for each member whose share was rounded up and is not any more, or the other way.
        expect(settle(more, owners)).toBeLessThanOrEqual(Math.ceil(owners.length / more.length) + members.length);
        expect(settle(members, owners)).toBeLessThanOrEqual(sharesBefore + members.length);
      }),
    );
  });

  it('is lost as a whole by a member that is no longer in the group', () => {
    expect(planAssignment('me', [0, 2], { members: ['other'], owners: ['me', null, 'me'] })).toEqual({
      lost: [0, 2],
      giveUp: [],
      claim: [],
      adopt: [],
    });
  });

  it('loses what another has taken, and adopts what is owned but not held', () => {
    expect(planAssignment('a', [0, 1], { members: ['a', 'b'], owners: ['b', 'a', 'b', 'a'] })).toEqual({
      lost: [0],
      giveUp: [],
      claim: [],
      adopt: [3],
    });
  });
});
