import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import type * as TypeScript from 'typescript';
import { describe, expect, it } from 'vitest';

type Compiler = typeof TypeScript;

const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url));
const require = createRequire(import.meta.url);
// An application built by `nest new` compiles with the one (Nest 11) or the other (Nest 12).
const compilers: readonly (readonly [string, Compiler])[] = [
  ['TypeScript 5.9', require('typescript') as Compiler],
  ['TypeScript 6.0', createRequire(here('typescript-6/package.json'))('typescript') as Compiler],
];
const files = ['ok.ts', 'shapes.ts', 'bad.ts'];

/** What the compiler says about the files themselves; the source of the package has its own check. */
function errorsOf(ts: Compiler): readonly string[] {
  const config = ts.getParsedCommandLineOfConfigFile(
    here('tsconfig.json'),
    {},
    { ...ts.sys, onUnRecoverableConfigFileDiagnostic: () => undefined },
  );
  if (!config) throw new Error('test/types/tsconfig.json cannot be read');
  const program = ts.createProgram(files.map(here), config.options);
  return files
    .map((file) => program.getSourceFile(here(file)))
    .flatMap((file) => [...program.getSyntacticDiagnostics(file), ...program.getSemanticDiagnostics(file)])
    .map(({ file, start, messageText }) => {
      const line = file && start !== undefined ? file.getLineAndCharacterOfPosition(start).line + 1 : 0;
      return `${file?.fileName.split('/').at(-1) ?? ''}:${line} ${ts.flattenDiagnosticMessageText(messageText, ' ')}`;
    });
}

describe.each(compilers)('the public types under %s', (name, ts) => {
  it('let right code compile and make each known mistake an error', { timeout: 60_000 }, () => {
    expect(ts.version).toContain(name.split(' ')[1]);
    expect(errorsOf(ts)).toEqual([]);
  });
});

describe('the known mistakes', () => {
  it('are 27 in the object form, 16 with decorators and 13 of policies', () => {
    const text = readFileSync(here('bad.ts'), 'utf8');
    expect([...text.matchAll(/@ts-expect-error (\d+):/g)].map(([, number]) => Number(number))).toEqual(
      Array.from({ length: 27 }, (_, index) => index + 1),
    );
    expect([...text.matchAll(/@ts-expect-error D(\d+):/g)].map(([, number]) => Number(number))).toEqual(
      Array.from({ length: 16 }, (_, index) => index + 1),
    );
    expect([...text.matchAll(/@ts-expect-error P(\d+):/g)].map(([, number]) => Number(number))).toEqual(
      Array.from({ length: 13 }, (_, index) => index + 1),
    );
  });
});
