import { join } from 'node:path';
import ts from 'typescript';
import { describe, expect, it } from 'vitest';
import { blocks, blocksOf, root, type Block } from './blocks.js';

const isChecked = ({ text }: Block): boolean => !text.trimStart().startsWith('// fragment');

/** What the compiler says about blocks that stand as files at the root of the repository, where `nest-kappa` is found. */
function errorsOf(given: readonly Block[]): readonly string[] {
  const config = ts.getParsedCommandLineOfConfigFile(
    join(root, 'tsconfig.json'),
    {},
    { ...ts.sys, onUnRecoverableConfigFileDiagnostic: () => undefined },
  );
  if (!config) throw new Error('tsconfig.json cannot be read');
  const options: ts.CompilerOptions = { ...config.options, noUnusedLocals: false, noUnusedParameters: false };
  // `export {}` makes each a module; at the end, so that lines keep their numbers.
  const files = new Map(
    given.map((block, index) => [join(root, `docs-block-${index}.ts`), { ...block, text: `${block.text}\nexport {};\n` }]),
  );
  const host = ts.createCompilerHost(options);
  const { getSourceFile, fileExists } = host;
  host.fileExists = (file) => files.has(file) || fileExists(file);
  host.getSourceFile = (file, ...rest) => {
    const block = files.get(file);
    return block ? ts.createSourceFile(file, block.text, rest[0]) : getSourceFile(file, ...rest);
  };
  const program = ts.createProgram([...files.keys()], options, host);
  return [...files].flatMap(([file, block]) => {
    const source = program.getSourceFile(file);
    return [...program.getSyntacticDiagnostics(source), ...program.getSemanticDiagnostics(source)].map(
      ({ start, messageText }) => {
        const line = source && start !== undefined ? source.getLineAndCharacterOfPosition(start).line : 0;
        return `${block.page}:${block.line + line} ${ts.flattenDiagnosticMessageText(messageText, ' ')}`;
      },
    );
  });
}

describe('TypeScript in the documentation', () => {
  it('compiles against the package', { timeout: 60_000 }, () => {
    const checked = blocks('ts', 'typescript').filter(isChecked);
    expect(checked).not.toEqual([]);
    expect(errorsOf(checked)).toEqual([]);
  });

  it('is told by page and line where it does not', { timeout: 60_000 }, () => {
    const page = [
      '# A page',
      '',
      '```ts',
      "import { topic } from 'nest-kappa';",
      'topic(17);',
      '```',
      '',
      '```ts',
      '// fragment',
      'nonsense(',
      '```',
    ].join('\n');
    const errors = errorsOf(blocksOf('page.md', page).filter(isChecked));
    expect(errors).toHaveLength(1);
    expect(errors[0]).toMatch(/^page\.md:5 /);
  });
});
