/**
 * `node scripts/run.mjs <built file> [arguments]`: builds if that is needed, then runs the file in this very process, so that a
 * signal meant for the application reaches it.
 */
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { ensureBuilt } from './ensure-built.mjs';

const [file, ...rest] = process.argv.slice(2);
if (file === undefined) {
  process.stderr.write('usage: node scripts/run.mjs <built file> [arguments]\n');
  process.exit(2);
}
if (!(await ensureBuilt())) process.exit(1);
const main = resolve(file);
process.argv = [process.execPath, main, ...rest];
await import(pathToFileURL(main).href);
