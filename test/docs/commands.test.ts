import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Command } from 'commander';
import { describe, expect, it } from 'vitest';
import { createProgram } from '../../src/cli/program.js';
import type { Output } from '../../src/cli/output.js';
import { checks, suites } from '../../scripts/suites.mjs';
import { blocks, root, type Block } from './blocks.js';

const { scripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
  readonly scripts: Readonly<Record<string, string>>;
};
const program = createProgram({ raw: () => undefined, note: () => undefined } as unknown as Output, () => Promise.resolve());
/** What npm knows without a script. */
const npmOwn = ['install', 'i', 'ci', 'pack', 'publish', 'init', 'view'];

/** The commands of a block, a word list each: comments and prompts removed, continued lines joined, `&&` and `|` taken apart. */
function commandsOf({ text }: Block): readonly (readonly string[])[] {
  return text
    .replace(/\\\n\s*/g, ' ')
    .split('\n')
    .map((line) => line.replace(/^\s*\$ /, '').replace(/(^|\s)#.*$/, ''))
    .flatMap((line) => line.split(/&&|\|\||[;|]/))
    .map((command) =>
      command
        .trim()
        .split(/\s+/)
        .filter((word) => word !== '' && !/^[A-Z_]+=/.test(word)),
    )
    .filter((words) => words.length > 0);
}

/** What is wrong with a command of ours; null for right ones and for other programs. */
function mistakeIn(words: readonly string[]): string | null {
  const [name, ...rest] = words;
  if (name === 'kappa' || name === 'nest-kappa') return mistakeInKappa(rest);
  if (name === 'npx')
    return rest[0] === 'nest-kappa'
      ? mistakeInKappa(rest.slice(1))
      : rest[0] === 'kappa'
        ? 'npx kappa fetches a stranger’s package'
        : null;
  if (name !== 'npm') return null;
  const [verb = '', ...more] = rest;
  if (npmOwn.includes(verb)) return null;
  const script = verb === 'run' ? more.find((word) => !word.startsWith('-')) : verb;
  if (script === undefined || !(script in scripts)) return `there is no script ${script}`;
  const given = more.includes('--') ? more.slice(more.indexOf('--') + 1) : [];
  if (script === 'kappa') return mistakeInKappa(given);
  if (script === 'test')
    return (
      given
        .filter((suite) => ![...checks, ...suites].some((known) => known.name === suite))
        .map((suite) => `there is no suite ${suite}`)[0] ?? null
    );
  return null;
}

function mistakeInKappa(words: readonly string[]): string | null {
  let command: Command = program;
  for (const word of words) {
    if (word.startsWith('-')) {
      const flag = word.split('=')[0] ?? word;
      const known = [...command.options, ...program.options].some(({ long, short }) => long === flag || short === flag);
      if (!known && !['--help', '-h', '--version'].includes(flag)) return `${command.name()} has no ${flag}`;
    } else if (command.commands.length > 0) {
      const next = command.commands.find((sub) => sub.name() === word || sub.aliases().includes(word));
      // A value of the option before it is no command.
      if (!next && command !== program) return `${command.name()} has no command ${word}`;
      command = next ?? command;
    }
  }
  return command === program && words.every((word) => !word.startsWith('-')) && words.length > 0
    ? `there is no command ${words[0]}`
    : null;
}

describe('commands in the documentation', () => {
  it('name scripts, suites, commands and options that exist', () => {
    const found = blocks('sh', 'bash', 'shell', 'console').flatMap((block) =>
      commandsOf(block).map((words) => ({ where: `${block.page}:${block.line}`, words })),
    );
    expect(found).not.toEqual([]);
    expect(found.flatMap(({ where, words }) => mistakeIn(words)?.replace(/^/, `${where} ${words.join(' ')}: `) ?? [])).toEqual(
      [],
    );
  });

  it.each([
    ['npm run nonsense', 'there is no script nonsense'],
    ['npm test -- nonsense', 'there is no suite nonsense'],
    ['npx kappa status', 'npx kappa fetches a stranger’s package'],
    ['npx nest-kappa nonsense', 'there is no command nonsense'],
    ['npx nest-kappa projections nonsense', 'projections has no command nonsense'],
    ['npm run -s kappa -- projections rebuild fines --nonsense', 'rebuild has no --nonsense'],
    ['npx nest-kappa projections rebuild fines --swap', null],
    ['curl -s localhost:3000', null],
  ])('%s: %s', (line, mistake) => {
    expect(mistakeIn(line.split(' '))).toBe(mistake);
  });
});
