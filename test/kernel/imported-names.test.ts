import { transformSync } from '@swc/core';
import { compileFunction } from 'node:vm';
import ts from 'typescript';
import { describe, expect, it } from 'vitest';
import { codeFingerprint } from '../../src/kernel/code-fingerprint.js';

const SOURCE = `
import { fromCents } from './money.js';
import { Paid } from './events.js';
import { of } from './totals.js';
export const fold = (row: { paid: string } | null, event: { data: { cents: number } }) => {
  const cents = fromCents(event.data.cents);
  return row?.paid === Paid.type ? { ...row, paid: cents, total: of(fromCents) } : { paid: cents ?? \`\${cents}\` };
};`;

/** The function that a compiled module exports as \`fold\`, with whatever it imports left unresolved. */
function foldOf(code: string, isModule: boolean): object {
  const body = isModule ? code.replace(/^import .*$/gm, '').replace('export const fold =', 'exports.fold =') : code;
  const exports: { fold?: object } = {};
  const evaluate = compileFunction(body, ['exports', 'require']) as (exports: object, require: () => object) => void;
  evaluate(exports, () => ({}));
  if (!exports.fold) throw new Error(`no fold in ${body}`);
  return exports.fold;
}

const byTsc = (module: ts.ModuleKind): string =>
  ts.transpileModule(SOURCE, { compilerOptions: { module, target: ts.ScriptTarget.ES2023, esModuleInterop: true } }).outputText;
const bySwc = (type: 'es6' | 'commonjs'): string =>
  transformSync(SOURCE, { swcrc: false, jsc: { parser: { syntax: 'typescript' }, target: 'es2023' }, module: { type } }).code;

describe('code that imports', () => {
  const fingerprint = codeFingerprint(foldOf(byTsc(ts.ModuleKind.ES2022), true));

  it.each([
    ['tsc, CommonJS', byTsc(ts.ModuleKind.CommonJS), false],
    ['SWC, ES module', bySwc('es6'), true],
    ['SWC, CommonJS', bySwc('commonjs'), false],
  ])('has the same fingerprint from %s as from tsc for ES modules', (_, code, isModule) => {
    const fold = foldOf(code, isModule);
    expect(codeFingerprint(fold)).toBe(fingerprint);
  });

  it('has another one when something else is imported, or a member of its own is meant', () => {
    const changed = (from: string, to: string): string =>
      codeFingerprint(foldOf(byTsc(ts.ModuleKind.CommonJS).replaceAll(from, to), false));
    expect(changed('money_js_1.fromCents', 'money_js_1.toCents')).not.toBe(fingerprint);
    const own = (expression: string): string => codeFingerprint(compileFunction(`return ${expression}`, ['row_1']));
    expect(own('row_1.paid')).not.toBe(own('paid'));
    expect(own('other_1.paid')).toBe(own('paid'));
  });
});
