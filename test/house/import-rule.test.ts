import { spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, it } from 'vitest';

const root = fileURLToPath(new URL('../..', import.meta.url));
const trees: string[] = [];

afterEach(() => {
  for (const tree of trees.splice(0)) rmSync(tree, { recursive: true, force: true });
});

/** What the rule says about a tree of these files, run as `npm run imports` runs it. */
function violationsOf(files: Readonly<Record<string, string>>): {
  readonly status: number | null;
  readonly found: readonly string[];
} {
  const tree = mkdtempSync(join(tmpdir(), 'import-rule-'));
  trees.push(tree);
  for (const name of ['.dependency-cruiser.mjs', 'tsconfig.json', 'package.json'])
    copyFileSync(join(root, name), join(tree, name));
  symlinkSync(join(root, 'node_modules'), join(tree, 'node_modules'));
  for (const [file, text] of Object.entries({ 'src/index.ts': 'export {};', 'src/testing/index.ts': 'export {};', ...files })) {
    mkdirSync(join(tree, dirname(file)), { recursive: true });
    writeFileSync(join(tree, file), text);
  }
  const cruiser = join(root, 'node_modules/dependency-cruiser/bin/dependency-cruise.mjs');
  const folders = ['src', 'examples', 'faults'].filter((folder) => existsSync(join(tree, folder)));
  const { status, stdout } = spawnSync(process.execPath, [cruiser, ...folders, '--config', '.dependency-cruiser.mjs'], {
    cwd: tree,
    encoding: 'utf8',
    env: { ...process.env, NO_COLOR: '1' },
  });
  return { status, found: [...stdout.matchAll(/error ([\w-]+): (\S+)/g)].map(([, rule, file]) => `${file} ${rule}`).sort() };
}

const value = 'export const one = 1;';
const using = (path: string): string => `import { one } from '${path}';\nexport const two = one + 1;`;

describe('the import rule', () => {
  it('lets imports point towards the log', () => {
    const { status, found } = violationsOf({
      'src/index.ts': using('./modules/kappa.module.js'),
      'src/kernel/one.ts': value,
      'src/log/one.ts': using('../kernel/one.js').replace('two', 'one'),
      'src/modules/aggregates/two.ts': using('../../log/one.js'),
      'src/modules/kappa.module.ts': value,
      'src/cli/three.ts': `import { two } from '../index.js';\nexport const three = two;`,
      'examples/shop/main.ts': `import { two } from 'nest-kappa';\nexport const three = two;`,
    });
    expect(found).toEqual([]);
    expect(status).toBe(0);
  });

  it('refuses each way around it', () => {
    const { status, found } = violationsOf({
      'src/kernel/one.ts': value,
      'src/kernel/upwards.ts': using('../log/one.js'),
      'src/kernel/types-upwards.ts': `import type { one } from '../log/one.js';\nexport type One = typeof one;`,
      'src/kernel/reading-files.ts': `import { readFileSync } from 'node:fs';\nexport const two = readFileSync;`,
      'src/log/one.ts': value,
      'src/log/injecting.ts': `import { Injectable } from '@nestjs/common';\nexport const two = Injectable;`,
      'src/modules/aggregates/one.ts': value,
      'src/modules/processors/sideways.ts': using('../aggregates/one.js'),
      'src/modules/serving/from-the-composition-root.ts': using('../kappa.module.js'),
      'src/modules/kappa.module.ts': value,
      'src/database/round.ts': `import { one } from './about.js';\nexport const two = one;`,
      'src/database/about.ts': `import { two } from './round.js';\nexport const one = (): number => two();`,
      'src/database/barrel/index.ts': `export * from '../round.js';`,
      'src/database/through-a-barrel.ts': `import { two } from './barrel/index.js';\nexport const three = two;`,
      'src/database/utils/one.ts': value,
      'src/database/using-utils.ts': using('./utils/one.js'),
      'src/database/static-peer.ts': `import { IsString } from 'class-validator';\nexport const two = IsString;`,
      'src/database/undeclared.ts': `import { it } from 'vitest';\nexport const two = it;`,
      'src/novelty/one.ts': value,
      'src/log/of-a-folder-without-number.ts': using('../novelty/one.js'),
      'src/index.ts': using('./cli/one.js'),
      'src/cli/one.ts': value,
      'src/testing/from-the-index.ts': `import { two } from '../index.js';\nexport const three = two;`,
      'examples/shop/main.ts': using('../../src/kernel/one.js'),
      'examples/fines/main.ts': `import { two } from '../shop/main.js';\nexport const three = two;`,
      'faults/src/main.ts': using('../../src/kernel/one.js'),
    });
    expect(status).not.toBe(0);
    expect(found).toEqual(
      [
        'src/kernel/upwards.ts kernel-imports-lower-numbers-only',
        'src/kernel/types-upwards.ts kernel-imports-lower-numbers-only',
        'src/kernel/reading-files.ts kernel-without-io',
        'src/log/injecting.ts nest-at-the-rim',
        'src/modules/processors/sideways.ts modules-processors-imports-lower-numbers-only',
        'src/modules/serving/from-the-composition-root.ts modules-serving-imports-lower-numbers-only',
        'src/database/about.ts no-cycles',
        'src/database/through-a-barrel.ts no-barrels',
        'src/database/using-utils.ts no-leftover-folders-to',
        'src/database/static-peer.ts optional-peers-are-imported-when-used',
        'src/database/undeclared.ts only-declared-packages',
        'src/log/of-a-folder-without-number.ts every-folder-has-a-number',
        'src/index.ts index-shows-modules-only',
        'src/testing/from-the-index.ts entry-points-are-for-the-outside',
        'examples/shop/main.ts outside-uses-public-names',
        'examples/fines/main.ts examples-stand-alone',
        'faults/src/main.ts outside-uses-public-names',
      ].sort(),
    );
  });
});
