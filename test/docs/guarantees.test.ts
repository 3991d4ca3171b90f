import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { root, textOf } from './blocks.js';

const page = textOf('docs/guarantees.md');
const [guarantees = '', mistakes = ''] = page.split(/^## (?=Mistakes)/m);
const namesIn = (text: string, line: RegExp) => [...text.matchAll(line)].map(([, file = '', name = '']) => ({ file, name }));
const proofs = namesIn(guarantees, /^- ((?:test|src\/testing)\/\S+) › (.+)$/gm);
const rules = namesIn(mistakes, /^\| .+ \| ((?:test|src\/testing)\/\S+) › (.+) \|$/gm);

describe('the guarantees', () => {
  it('name tests that exist', () => {
    const missing = [...proofs, ...rules].filter(
      ({ file, name }) => !existsSync(join(root, file)) || !textOf(file).replaceAll(/\(\s+/g, '(').includes(`('${name}'`),
    );
    expect(missing).toEqual([]);
  });

  it('are each proven', () => {
    const parts = guarantees.split(/^## /m).slice(1);
    expect(parts).toHaveLength(6);
    expect(parts.filter((part) => !part.includes('\n- test/'))).toEqual([]);
  });

  it('stand beside mistakes that each have a test', () => {
    expect(rules.length).toBe(mistakes.split('\n').filter((line) => line.startsWith('| ')).length - 1);
    expect(rules.length).toBeGreaterThan(0);
  });
});
