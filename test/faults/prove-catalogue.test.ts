import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { catalogue } from '../../faults/src/prove/catalogue/catalogue.js';
import { patched } from '../../faults/src/prove/patch-sources.js';
import { ROOT } from '../support/run-example.js';

const { guards, sets } = catalogue;
const names = [...guards.map(({ guard }) => guard), ...sets.map(({ set }) => set)];
const tests = [...guards, ...sets].flatMap(({ caughtBy }) => ('tests' in caughtBy ? caughtBy.tests : []));

describe('the guards that are taken out to see what catches it', () => {
  it('are patches that fit the sources of today, each exactly once', () => {
    const unfit = guards.flatMap(({ guard, patches }) => {
      const texts = new Map<string, string>();
      try {
        for (const patch of patches) {
          const text = texts.get(patch.file) ?? readFileSync(path.join(ROOT, patch.file), 'utf8');
          texts.set(patch.file, patched(text, patch));
        }
        return patches.length === 0 ? [`${guard}: nothing is taken out`] : [];
      } catch (error) {
        return [`${guard}: ${String(error)}`];
      }
    });
    expect(unfit).toEqual([]);
  });

  it('name tests that exist', () => {
    const missing = tests.filter(({ file, name, declaredIn = file }) => {
      if (!existsSync(path.join(ROOT, file)) || !existsSync(path.join(ROOT, declaredIn))) return true;
      const text = readFileSync(path.join(ROOT, declaredIn), 'utf8').replaceAll(/\(\s+/g, '(');
      return !text.includes(`('${name}`);
    });
    expect(missing).toEqual([]);
  });

  it('bear different names, and sets have members', () => {
    expect(new Set(names).size).toBe(names.length);
    for (const { members } of sets) for (const member of members) expect(names).toContain(member);
  });
});
