import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { catalogue } from '../../faults/src/prove/catalogue/catalogue.js';
import { patched } from '../../faults/src/prove/patch-sources.js';
import { chosen, type Proof } from '../../faults/src/prove/prove.js';
import { summarizeProofs } from '../../faults/src/prove/report.js';
import { verdictOf } from '../../faults/src/prove/verdict.js';

const root = fileURLToPath(new URL('../..', import.meta.url));
const textOf = (file: string): string => readFileSync(path.join(root, file), 'utf8');
const { guards, sets } = catalogue;

describe('the catalogue of guards', () => {
  it.each(guards.map((guard) => [guard.guard, guard] as const))('removes from the sources of today: %s', (_, { patches }) => {
    expect(patches.length).toBeGreaterThan(0);
    for (const file of new Set(patches.map((patch) => patch.file))) {
      const text = textOf(file);
      const own = patches.filter((patch) => patch.file === file);
      expect(own.reduce(patched, text)).not.toBe(text);
    }
  });

  it('names tests that exist', () => {
    const tests = [...guards, ...sets].flatMap(({ caughtBy }) => ('tests' in caughtBy ? caughtBy.tests : []));
    const missing = tests.filter(
      ({ file, declaredIn, name }) =>
        !existsSync(path.join(root, file)) ||
        !textOf(declaredIn ?? file)
          .replaceAll(/\(\s+/g, '(')
          .includes(`('${name}'`),
    );
    expect(missing).toEqual([]);
  });

  it('names each guard once, and sets of guards that exist', () => {
    const names = [...guards.map(({ guard }) => guard), ...sets.map(({ set }) => set)];
    expect(new Set(names).size).toBe(names.length);
    expect(sets.flatMap(({ members }) => members).filter((name) => !guards.some(({ guard }) => guard === name))).toEqual([]);
  });
});

describe('a proof', () => {
  it('refuses a patch that does not fit exactly once', () => {
    const patch = { file: 'src/one.ts', find: 'a', replace: '$&' };
    expect(patched('xay', patch)).toBe('x$&y');
    for (const text of ['x', 'aa']) expect(() => patched(text, patch)).toThrow('KAPPA_PATCH_UNFIT');
  });

  it('counts a test that fails without the guard and passes with it, and nothing else', () => {
    const failed = { test: 'a › b', why: 'AssertionError: expected 1 to be 2' };
    const run = { ran: ['a › b'], failed: [failed], broken: [] };
    expect(verdictOf(run, new Set())).toEqual({ caughtBy: 'a › b', after: 1 });
    expect(verdictOf(run, new Set(['a › b']))).toEqual({ caughtBy: null });
    expect(verdictOf({ ...run, failed: [] }, new Set())).toEqual({ caughtBy: null });
  });

  it.each([
    ['no test ran', { ran: [], failed: [], broken: [] }],
    ['a file does not compile', { ran: [], failed: [], broken: ['a: Unexpected token'] }],
    ['a statement does not', { ran: ['a'], failed: [{ test: 'a', why: 'error: syntax error at or near "x"' }], broken: [] }],
  ])('is none where %s', (_, run) => {
    expect(verdictOf(run, new Set())).toHaveProperty('broken');
  });

  it('tells members of a caught set that nothing misses alone as covered', () => {
    const proof = (name: string, caughtBy: string | null, set = false): Proof => ({
      name,
      set,
      seconds: 1,
      verdict: caughtBy === null ? { caughtBy } : { caughtBy, after: 1 },
    });
    const both = { set: 'both', driver: 'postgres', members: ['one', 'two'], caughtBy: { tests: [] } } as const;
    const proofs = [proof('one', null), proof('two', 'a test'), proof('three', null), proof('both', 'a test', true)];
    expect(summarizeProofs(proofs, [both])).toEqual({
      guards: [
        { guard: 'two', caughtBy: 'a test', caughtAfterSeeds: 1 },
        { guard: 'three', caughtBy: null, caughtAfterSeeds: null },
        { guard: 'both', caughtBy: 'a test', caughtAfterSeeds: 1 },
      ],
      covered: ['one'],
    });
  });

  it('of a set is one of its members, too', () => {
    const [set] = sets;
    expect(
      set &&
        chosen(catalogue, [set.set])
          .guards.map(({ guard }) => guard)
          .sort(),
    ).toEqual([...(set?.members ?? [])].sort());
  });
});
