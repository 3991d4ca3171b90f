import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { KappaError } from 'nest-kappa';
import type { Patch } from './guard.js';

/** @throws KAPPA_PATCH_UNFIT when what is to be replaced does not stand exactly once in the text */
export function patched(text: string, { file, find, replace }: Patch): string {
  const times = text.split(find).length - 1;
  if (times !== 1) {
    throw new KappaError('KAPPA_PATCH_UNFIT', `what a patch replaces stands ${times} times in ${file}, not once: ${find}`, {
      facts: { file, times },
      nextStep: 'Correct the patch in faults/src/prove/catalogue, so that it removes the guard from the code of today.',
    });
  }
  return text.replace(find, () => replace);
}

/** Takes guards out of the sources below `root`. Answers what puts the sources back. @throws KAPPA_PATCH_UNFIT */
export async function patchSources(root: string, patches: readonly Patch[]): Promise<() => Promise<void>> {
  const before = new Map<string, string>();
  const after = new Map<string, string>();
  for (const patch of patches) {
    const file = path.join(root, patch.file);
    const text = after.get(file) ?? (await readFile(file, 'utf8'));
    if (!before.has(file)) before.set(file, text);
    after.set(file, patched(text, patch));
  }
  const write = async (texts: ReadonlyMap<string, string>): Promise<void> => {
    for (const [file, text] of texts) await writeFile(file, text);
  };
  await write(after);
  return () => write(before);
}
