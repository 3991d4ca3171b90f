import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = fileURLToPath(new URL('../..', import.meta.url));

/** A fenced block of a page. `ts` blocks are checked unless their first line is `// fragment`. */
export interface Block {
  /** Path of the page, from the root. */
  readonly page: string;
  /** Line of the first line of the text, from 1. */
  readonly line: number;
  readonly language: string;
  readonly text: string;
}

/** What readers are shown: README, CONTRIBUTING and docs/, less what is generated. */
export function pages(): readonly string[] {
  const docs = readdirSync(join(root, 'docs'), { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.md') && !file.startsWith('api/'))
    .map((file) => `docs/${file}`);
  return ['README.md', 'CONTRIBUTING.md', ...docs.sort()];
}

export function textOf(page: string): string {
  return readFileSync(join(root, page), 'utf8');
}

export function blocks(...languages: readonly string[]): readonly Block[] {
  return pages()
    .flatMap((page) => blocksOf(page, textOf(page)))
    .filter(({ language }) => languages.includes(language));
}

export function blocksOf(page: string, markdown: string): readonly Block[] {
  const found: Block[] = [];
  let open: { readonly language: string; readonly line: number; readonly lines: string[] } | null = null;
  markdown.split('\n').forEach((line, index) => {
    const fence = /^\s*```(\w*)/.exec(line);
    if (fence && !open) open = { language: fence[1] ?? '', line: index + 2, lines: [] };
    else if (fence && open) {
      found.push({ page, line: open.line, language: open.language, text: open.lines.join('\n') });
      open = null;
    } else open?.lines.push(line);
  });
  return found;
}
