/** `npm run bench -- rebuild`: builds what is measured and the bench itself, then measures. */
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { compile, root } from './build.mjs';
import { ensureBuilt } from './ensure-built.mjs';

if (!(await ensureBuilt()) || !(await compile('bench'))) process.exit(1);
// What is measured is what runs in production: outside it, rows and payloads are frozen.
process.env['NODE_ENV'] ??= 'production';
const main = join(root, 'bench', 'dist', 'main.js');
process.argv = [process.execPath, main, ...process.argv.slice(2)];
await import(pathToFileURL(main).href);
