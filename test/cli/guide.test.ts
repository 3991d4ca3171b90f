import { readFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { createProgram } from '../../src/cli/program.js';
import { Output } from '../../src/cli/output.js';
import type { Command } from 'commander';

const guide = await readFile(new URL('../../docs/guide/command.md', import.meta.url), 'utf8');
const out = new Output({ json: false, color: false }, process.stdout, process.stderr);
const program = createProgram(out, () => Promise.resolve());

function leaves(
  command: Command,
  path: readonly string[] = [],
): readonly { readonly path: readonly string[]; readonly command: Command }[] {
  if (command.commands.length === 0) return [{ path, command }];
  return command.commands.flatMap((child) => leaves(child, [...path, child.name()]));
}

describe('the guide to the command', () => {
  it('shows every command with each of its flags', () => {
    for (const { path, command } of leaves(program)) {
      expect(guide).toContain(`npx nest-kappa ${path.join(' ')}`);
      for (const { long } of command.options) expect(guide, `${path.join(' ')} ${long}`).toContain(long);
    }
    for (const { long } of program.options) if (long) expect(guide).toContain(long);
  });

  it('shows no command that is none', () => {
    const known = leaves(program).map(({ path }) => path.join(' '));
    const shown = [...guide.matchAll(/npx nest-kappa ((?:[a-z][a-z-]* ?)+)/g)].map((match) => (match[1] ?? '').trim());
    expect(shown.length).toBeGreaterThan(15);
    for (const line of shown)
      expect(
        known.some((path) => line === path || line.startsWith(`${path} `)),
        line,
      ).toBe(true);
  });
});
