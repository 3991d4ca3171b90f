import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { blocksOf, root, textOf } from '../docs/blocks.js';

let made = 0;

/**
 * Runs a block of a page as a module: the one below `<!-- run: name -->`. `change` gives it names of the test's own, for topics
 * of one cluster are everybody's.
 */
export async function importBlock<Module>(page: string, name: string, change = (text: string) => text): Promise<Module> {
  const markdown = textOf(page);
  const at = markdown.indexOf(`<!-- run: ${name} -->`);
  const [block] = at < 0 ? [] : blocksOf(page, markdown.slice(at));
  if (!block) throw new Error(`${page} has no block marked <!-- run: ${name} -->`);
  // Within the package, where it finds what an application would have installed.
  const folder = path.join(root, 'dist/.documented');
  await mkdir(folder, { recursive: true });
  const file = path.join(folder, `${name}-${process.pid}-${(made += 1)}.ts`);
  await writeFile(file, change(block.text));
  return (await import(/* @vite-ignore */ file)) as Module;
}
