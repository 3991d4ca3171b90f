import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

const src = fileURLToPath(new URL('../../src', import.meta.url));
const files = readdirSync(src, { recursive: true, encoding: 'utf8' })
  .filter((file) => file.endsWith('.ts'))
  .map((file) => ({ file, text: readFileSync(join(src, file), 'utf8') }));

/** Comments may speak of what code must not do. */
const codeOf = (text: string): string => text.replace(/\/\*[\s\S]*?\*\/|\/\/.*$|--.*$/gm, '');

describe('the source', () => {
  it('never sends NOTIFY, whose lock makes all commits of a server wait for each other', () => {
    expect(files.length).toBeGreaterThan(100);
    expect(files.filter(({ text }) => /\b(pg_notify|notify\s+[a-z_"$])/i.test(codeOf(text))).map(({ file }) => file)).toEqual(
      [],
    );
  });

  it('asks TypeORM for its notes on entities and writes no row through it', () => {
    const imported = files.flatMap(({ text }) =>
      [...text.matchAll(/import (type )?\{([^}]*)\} from 'typeorm'/g)].map(
        ([, type, names]) => `${type ?? ''}${names?.trim()}`,
      ),
    );
    expect(imported.sort()).toEqual(['getMetadataArgsStorage', 'type ColumnOptions']);
    expect(files.filter(({ text }) => /import\(['"]typeorm['"]\)|require\(['"]typeorm['"]\)/.test(text))).toEqual([]);
  });
});
