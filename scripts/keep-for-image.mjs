/**
 * `node scripts/keep-for-image.mjs examples/shop`: makes what an example imports, and Nest's HTTP server, dependencies of this
 * package.json instead of packages for development, so that `npm prune --omit=dev` leaves what the example needs. For a copy of
 * the repository within the build of an image.
 */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const [example] = process.argv.slice(2);
if (example === undefined) throw new Error('usage: node scripts/keep-for-image.mjs <folder of an example>');
const file = 'package.json';
/** @typedef {Record<string, string>} Packages */
/** @type {(text: string) => { dependencies: Packages, devDependencies: Packages }} */
const parse = JSON.parse;
const manifest = parse(readFileSync(file, 'utf8'));
const sources = readdirSync(join(example, 'src'), { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.ts'));
const text = sources.map((name) => readFileSync(join(example, 'src', name), 'utf8')).join('\n');
// Nest and our package load these themselves.
const asked = ['@nestjs/platform-express', 'class-transformer', 'kafkajs'];

const packages = Object.entries(manifest.devDependencies);
/** @param {string} name */
const isKept = (name) => asked.includes(name) || text.includes(`from '${name}'`);
const kept = Object.fromEntries(packages.filter(([name]) => isKept(name)));
const left = Object.fromEntries(packages.filter(([name]) => !isKept(name)));
const changed = { ...manifest, dependencies: { ...manifest.dependencies, ...kept }, devDependencies: left };
writeFileSync(file, `${JSON.stringify(changed, null, 2)}\n`);
