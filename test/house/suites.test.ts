import { readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { checks, foldersOfOthers, suites } from '../../scripts/suites.mjs';

const tests = fileURLToPath(new URL('..', import.meta.url));

describe('the suites of the test command', () => {
  it('hold every test file, each once', () => {
    const files = readdirSync(tests, { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.test.ts'));
    const isIn = (file: string, folder: string): boolean =>
      file.startsWith(`${folder}/`) && !foldersOfOthers(folder).some((other) => file.startsWith(`${other}/`));
    const suitesOf = (file: string): string[] =>
      suites.filter(({ folders }) => folders.some((folder) => isIn(file, folder))).map(({ name }) => name);
    expect(files.filter((file) => suitesOf(file).length !== 1)).toEqual([]);
  });

  it('have budgets that together stay below fifteen minutes', () => {
    const inTurn = suites.filter(({ waits }) => !waits);
    expect([...checks, ...inTurn].reduce((sum, { budgetSeconds }) => sum + budgetSeconds, 0)).toBeLessThan(15 * 60);
  });
});
