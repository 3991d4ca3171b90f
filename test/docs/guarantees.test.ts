import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { root, textOf } from './blocks.js';

const page = textOf('docs/guarantees.md');
const proofs = [...page.matchAll(/^- (test\/\S+) › (.+)$/gm)].map(([, file = '', name = '']) => ({ file, name }));

describe('the guarantees', () => {
  it('name tests that exist', () => {
    const missing = proofs.filter(({ file, name }) => !existsSync(join(root, file)) || !textOf(file).includes(`it('${name}'`));
    expect(missing).toEqual([]);
  });

  it('are each proven', () => {
    const parts = page.split(/^## /m).slice(1);
    expect(parts).toHaveLength(6);
    expect(parts.filter((part) => !part.includes('\n- test/'))).toEqual([]);
  });
});
