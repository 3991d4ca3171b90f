import { existsSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { build, examples, root, stamp } from './build.mjs';

/**
 * Builds where the output is missing or older than a source: `npm install --ignore-scripts` skips the build, an edit outdates
 * it. Resolves to whether the output stands.
 */
export async function ensureBuilt() {
  const sources = ['src', 'package.json', 'tsconfig.json', 'tsconfig.build.json', ...examples().flatMap(sourcesOf)];
  if (existsSync(stamp) && Math.max(...sources.map(newest)) <= statSync(stamp).mtimeMs) return true;
  process.stderr.write('nest-kappa: building\n');
  if (await build()) return true;
  process.stderr.write('nest-kappa: the build failed; mend what stands above and run this again\n');
  return false;
}

/** @param {string} example */
function sourcesOf(example) {
  return ['src', 'kappa.config.ts', 'kappa.kafka.config.ts', 'tsconfig.json'].map((path) => join('examples', example, path));
}

/**
 * When a file, or the newest file or folder below a folder, was changed. A folder's own time tells of removed files.
 * @param {string} path
 */
function newest(path) {
  const start = join(root, path);
  if (!existsSync(start)) return 0;
  const below = statSync(start).isDirectory()
    ? readdirSync(start, { recursive: true, encoding: 'utf8' }).map((name) => join(start, name))
    : [];
  return Math.max(...[start, ...below].map((file) => statSync(file).mtimeMs));
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) process.exitCode = (await ensureBuilt()) ? 0 : 1;
