import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  copyFileSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

export const root = fileURLToPath(new URL('..', import.meta.url));
/** Written last, so that its time is that of the last whole build. */
export const stamp = join(root, 'dist', '.built');

/** Builds the package, then the examples against it. Resolves to whether all compiled; says on stderr what did not. */
export async function build() {
  rmSync(stamp, { force: true });
  if (!(await compile('tsconfig.build.json'))) return false;
  mirror(join(root, 'src'), join(root, 'dist'));
  for (const bin of ['dist/cli/bin.js']) if (existsSync(join(root, bin))) chmodSync(join(root, bin), 0o755);
  const compiled = await Promise.all(examples().map((example) => compile(join('examples', example, 'tsconfig.json'))));
  if (compiled.includes(false)) return false;
  for (const example of examples()) mirror(join(root, 'examples', example), join(root, 'examples', example, 'dist'));
  for (const outside of ['bench', 'faults']) linkPackage(outside);
  writeFileSync(stamp, '');
  return true;
}

/** The examples by folder name. */
export function examples() {
  const folder = join(root, 'examples');
  return existsSync(folder) ? readdirSync(folder).filter((name) => existsSync(join(folder, name, 'tsconfig.json'))) : [];
}

/**
 * A package of its own, whose dependencies do not reach this one; it finds this one as any application does.
 * @param {string} folder
 */
function linkPackage(folder) {
  const link = join(root, folder, 'node_modules', 'nest-kappa');
  if (lstatSync(link, { throwIfNoEntry: false })) return;
  mkdirSync(dirname(link), { recursive: true });
  symlinkSync(root, link, 'junction');
}

/**
 * @param {string} project
 * @returns {Promise<boolean>}
 */
export async function compile(project) {
  // By its path: another package may bring a `tsc` of another version into node_modules/.bin.
  const tsc = join(root, 'node_modules', 'typescript', 'bin', 'tsc');
  const compiler = spawn(process.execPath, [tsc, '-p', project], { cwd: root, stdio: ['ignore', 2, 2] });
  await once(compiler, 'exit');
  return compiler.exitCode === 0;
}

/**
 * Makes `output` hold what `source` says and no more: files that the compiler does not know are copied, and output whose source
 * is gone is removed, or it would be packed.
 * @param {string} source
 * @param {string} output
 */
function mirror(source, output) {
  for (const file of files(source)) {
    if (/\.(ts|json)$/.test(file) || file.startsWith('dist/') || file.startsWith('.')) continue;
    mkdirSync(dirname(join(output, file)), { recursive: true });
    copyFileSync(join(source, file), join(output, file));
  }
  for (const file of files(output)) {
    const sourceFile = /\.(js|d\.ts)(\.map)?$/.test(file) ? file.replace(/\.(js|d\.ts)(\.map)?$/, '.ts') : file;
    if (!file.startsWith('.') && !existsSync(join(source, sourceFile))) rmSync(join(output, file));
  }
}

/** @param {string} folder */
function files(folder) {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1));
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) process.exitCode = (await build()) ? 0 : 1;
