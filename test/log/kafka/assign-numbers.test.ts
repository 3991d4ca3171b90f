import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { assignNumbers, type Claimant } from '../../../src/log/kafka/groups/assign-numbers.js';

const claim = (member: string, owned: readonly number[], generation = 1): Claimant => ({ member, owned, generation });

describe('partition numbers of a Kafka group', () => {
  it('are divided among members that hold none', () => {
    const given = assignNumbers([claim('a', []), claim('b', []), claim('c', [])], 8);
    expect([...given.values()].map(({ length }) => length).sort()).toEqual([2, 3, 3]);
    expect([...given.values()].flat().sort()).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
  });

  it('that move are given to nobody until their owner has let go', () => {
    const first = assignNumbers([claim('a', [0, 1, 2, 3]), claim('b', [])], 4);
    expect(first).toEqual(
      new Map([
        ['a', [0, 1]],
        ['b', []],
      ]),
    );
    const second = assignNumbers([claim('a', [0, 1], 2), claim('b', [], 2)], 4);
    expect(second).toEqual(
      new Map([
        ['a', [0, 1]],
        ['b', [2, 3]],
      ]),
    );
  });

  it('stay with whom they were given last, of two that claim them', () => {
    const given = assignNumbers([claim('stale', [0, 1], 3), claim('owner', [0, 1], 7)], 2);
    expect(given.get('owner')).toEqual([0]);
    expect(given.get('stale')).toEqual([]);
  });

  it('of a member that left go to those that have fewest', () => {
    const given = assignNumbers([claim('a', [0, 1, 2]), claim('b', [3])], 6);
    expect(given).toEqual(
      new Map([
        ['a', [0, 1, 2]],
        ['b', [3, 4, 5]],
      ]),
    );
  });

  it('have one owner, move no more than they must, and end in shares that differ by at most one', () => {
    const histories = fc.record({
      numbers: fc.integer({ min: 1, max: 24 }),
      owners: fc.array(fc.integer({ min: 0, max: 6 }), { minLength: 24, maxLength: 24 }),
      members: fc.integer({ min: 1, max: 6 }),
    });
    fc.assert(
      fc.property(histories, ({ numbers, owners, members }) => {
        let joined = Array.from({ length: members }, (_, index) =>
          claim(
            `m${index}`,
            owners.slice(0, numbers).flatMap((owner, number) => (owner === index ? [number] : [])),
          ),
        );
        for (let round = 2; ; round++) {
          const given = assignNumbers(joined, numbers);
          const all = [...given.values()].flat();
          expect(new Set(all).size).toBe(all.length);
          for (const [member, own] of given) {
            const others = joined.filter((other) => other.member !== member).flatMap(({ owned }) => owned);
            expect(own.filter((number) => others.includes(number))).toEqual([]);
          }
          const settled = joined.every(
            ({ member, owned }) => given.get(member)?.join() === [...owned].sort((a, b) => a - b).join(),
          );
          joined = joined.map(({ member }) => claim(member, given.get(member) ?? [], round));
          if (settled) break;
          // One round lets go, one gives.
          expect(round).toBeLessThan(5);
        }
        const sizes = joined.map(({ owned }) => owned.length);
        expect(Math.max(...sizes) - Math.min(...sizes)).toBeLessThanOrEqual(1);
        expect(joined.flatMap(({ owned }) => owned)).toHaveLength(numbers);
      }),
    );
  });
});
