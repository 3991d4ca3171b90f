/** `npm run faults -- --runs 5`: builds what is struck and the harness itself, then strikes. */
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { compile, root } from './build.mjs';
import { ensureBuilt } from './ensure-built.mjs';

if (!(await ensureBuilt()) || !(await compile('faults'))) process.exit(1);
const main = join(root, 'faults', 'dist', 'main.js');
process.argv = [process.execPath, main, ...process.argv.slice(2)];
await import(pathToFileURL(main).href);
