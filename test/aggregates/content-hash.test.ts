import { hash } from 'node:crypto';
import { expect, it } from 'vitest';
import { contentHash } from '../../src/modules/aggregates/content-hash.js';

class Everything {
  readonly b = 'x"\n';
  readonly a = [1, null, undefined, { z: 1n, y: new Date(0) }];
  readonly m = new Map([['k', { d: 1, c: 2 }]]);
  readonly s = new Set<unknown>([3, 'é']);
  readonly f = (): number => 1;
  readonly u = undefined;
  readonly n = NaN;
}

/** Forty names, not in their order. */
const many = Object.fromEntries(Array.from({ length: 40 }, (_, n) => [`k${(n * 7) % 40}`, n]));

it.each([
  ['of every kind of value', 'Happen', new Everything(), '-34xOyP8v5SlCSMaO5wBVB'],
  ['of no fields', 'Happen', {}, 'CNdQ9rwA9bYM9uE5SALweW'],
  ['of many fields', 'Many', many, 'mO4QWmnQf3U3fIWISGvrQg'],
  ['of a list with holes', 'Holes', { list: Object.assign(new Array(3), { 1: 1 }) }, 'tj5jDE2K8JHnHouejKiVHU'],
])('the hash %s is what stands in databases', (_, name, command, hash) => {
  expect(contentHash(name, command)).toBe(hash);
});

it('tells content apart, and not the order of fields', () => {
  expect(contentHash('A', { b: 1, a: [2, 3] })).toBe(contentHash('A', { a: [2, 3], b: 1 }));
  const others = [{ a: [3, 2], b: 1 }, { a: [2, 3], b: '1' }, { a: [2, 3] }, { a: [2, 3], b: 1, c: null }];
  for (const other of others) expect(contentHash('A', other)).not.toBe(contentHash('A', { a: [2, 3], b: 1 }));
  expect(contentHash('B', { a: 1 })).not.toBe(contentHash('A', { a: 1 }));
});

it('is the same for names that come again after any number of others', () => {
  const named = (name: string): string => contentHash('A', { [name]: 1 });
  const before = ['name', 'n"ame', 'x'.repeat(200)].map(named);
  for (let n = 0; n < 5_000; n += 1)
    expect(named(`other-${n}`)).toBe(hash('sha256', `A\n{"other-${n}":1}`, 'base64url').slice(0, 22));
  expect(['name', 'n"ame', 'x'.repeat(200)].map(named)).toEqual(before);
});
