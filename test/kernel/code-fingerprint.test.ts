import { describe, expect, it } from 'vitest';
import { codeFingerprint } from '../../src/kernel/code-fingerprint.js';

/** Functions as their text: what a compiler makes of this file must not decide what is compared. */
function made(text: string): object {
  return (0, eval)(`(${text})`) as object;
}

const method = (text: string, name = 'm'): object => (made(`{ ${text} }`) as Record<string, object>)[name] ?? {};
const classMethod = (text: string, name = 'm'): object =>
  (made(`class { ${text} }`) as { prototype: Record<string, object> }).prototype[name] ?? {};

const BASE = '(s, e) => ({ ...s, sum: s.sum + e.data.n })';

describe('the same code has the same fingerprint', () => {
  it.each([
    ['formatted otherwise', '(s,e)=>({...s,sum:s.sum+e.data.n})'],
    ['with comments', '(s, /* the event */ e) => ({\n  // adds\n  ...s,\n  sum: s.sum + e.data.n,\n})'],
    ['as a block that returns', '(s, e) => { return { ...s, sum: s.sum + e.data.n }; }'],
    ['as a function', 'function added(s, e) { return { ...s, sum: s.sum + e.data.n }; }'],
    ['with parentheses', '(s, e) => (({ ...s, sum: (s.sum + e.data.n) }))'],
  ])('%s', (_how, text) => {
    expect(codeFingerprint(made(text))).toBe(codeFingerprint(made(BASE)));
  });

  it('as a method of an object or a class, whatever its name', () => {
    const body = '(s, e) { return { ...s, sum: s.sum + e.data.n }; }';
    for (const fn of [
      method(`m${body}`),
      method(`'counter.added'${body}`, 'counter.added'),
      classMethod(`m${body}`),
      classMethod(`other${body}`, 'other'),
    ]) {
      expect(codeFingerprint(fn)).toBe(codeFingerprint(made(BASE)));
    }
  });

  it('behind a wrapper that carries its source', () => {
    const source = made(BASE);
    const wrapper = Object.assign(() => 'bound', { source });
    expect(codeFingerprint(wrapper)).toBe(codeFingerprint(source));
    expect(codeFingerprint(Object.assign(() => 'again', { source: wrapper }))).toBe(codeFingerprint(source));
  });

  it('with other quotes', () => {
    expect(codeFingerprint(made(`() => ['a', "b", \`c\`]`))).toBe(codeFingerprint(made(`() => ["a", 'b', \`c\`]`)));
  });
});

describe('other code has another fingerprint', () => {
  it.each([
    ['another operator', '(s, e) => ({ ...s, sum: s.sum - e.data.n })'],
    ['another property', '(s, e) => ({ ...s, sum: s.sum + e.data.m })'],
    ['another order of parameters', '(e, s) => ({ ...s, sum: s.sum + e.data.n })'],
    ['async', 'async (s, e) => ({ ...s, sum: s.sum + e.data.n })'],
    ['a default', '(s, e = {}) => ({ ...s, sum: s.sum + e.data.n })'],
  ])('%s', (_how, text) => {
    expect(codeFingerprint(made(text))).not.toBe(codeFingerprint(made(BASE)));
  });

  it.each([
    ["() => 'a b'", "() => 'a  b'"],
    ['() => 1', "() => '1'"],
    ['() => 1n', '() => 1'],
    ['() => 1n', '() => 2n'],
    ['() => /a/', '() => /a/i'],
    ['() => /a/', '() => /b/'],
    ['() => `a${1}b`', '() => `a${1}c`'],
    ['() => ({ start: 1 })', '() => ({ start: 2 })'],
    ['() => ({ raw: 1, end: 2 })', '() => ({ raw: 1, end: 3 })'],
    ['() => null', '() => undefined'],
    ['(a) => a?.b', '(a) => a.b'],
  ])('%s is not %s', (one, other) => {
    expect(codeFingerprint(made(one))).not.toBe(codeFingerprint(made(other)));
  });
});

it.each([
  ['an async method', method('async m(a) { return await a; }')],
  ['a generator', method('*m(a) { yield a; }')],
  ['a method with super', method('m(a) { return super.m(a); }')],
  ['a class method with a private name', classMethod('#hidden = 1; m(a) { return a + this.#hidden; }')],
  ['a computed name', method(`['m'](a) { return a; }`)],
  ['a getter taken as a function', Object.getOwnPropertyDescriptor(made('{ get m() { return 1; } }'), 'm')?.get ?? {}],
])('parses %s', (_what, fn) => {
  const reformatted = Object.assign(() => 0, { toString: () => '' });
  expect(codeFingerprint(fn)).toMatch(/^[\w-]{22}$/);
  expect(codeFingerprint(fn)).not.toBe(codeFingerprint(reformatted));
});

it('hashes what cannot be parsed as text', () => {
  expect(codeFingerprint(Math.max)).not.toBe(codeFingerprint(Math.min));
});
