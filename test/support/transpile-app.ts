import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import ts from 'typescript';

/** What is to be other than in the original; `file` is a path within the application. */
export type Change = (file: string, text: string) => string;

/**
 * Writes an application as `tsc` would build it, without checking types, to a folder within this package, so that it imports what
 * was built here.
 */
export async function transpileApp(app: string, output: string, change: Change = (_, text) => text): Promise<void> {
  for (const file of await readdir(app, { recursive: true })) {
    if (!file.endsWith('.ts') || file.startsWith('dist')) continue;
    const { outputText } = ts.transpileModule(change(file, await readFile(path.join(app, file), 'utf8')), {
      compilerOptions: {
        module: ts.ModuleKind.ES2022,
        target: ts.ScriptTarget.ES2022,
        experimentalDecorators: true,
        emitDecoratorMetadata: true,
      },
    });
    const target = path.join(output, file.replace(/\.ts$/, '.js'));
    await mkdir(path.dirname(target), { recursive: true });
    await writeFile(target, outputText);
  }
}
