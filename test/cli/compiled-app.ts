import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import ts from 'typescript';
import { appFolder } from './run-command.js';

/**
 * The fixture as `tsc` would build it, within this package so that it imports what was built here. Loading it takes a third of
 * the time that compiling it in the command takes, which has its own tests.
 */
export async function compiledApp(): Promise<string> {
  const output = path.join(appFolder, 'dist', String(process.pid));
  for (const file of await readdir(appFolder, { recursive: true })) {
    if (!file.endsWith('.ts') || file.startsWith('dist')) continue;
    const { outputText } = ts.transpileModule(await readFile(path.join(appFolder, file), 'utf8'), {
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
  return output;
}
