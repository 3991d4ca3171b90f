import { existsSync, readFileSync, realpathSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { KappaError } from '../kernel/errors.js';
import type { KappaConfig, KappaDatabaseOptions } from '../modules/kappa/kappa-options.js';
import { isKappaError } from './report-error.js';
import { installTypeScript } from './typescript-hooks.js';
import { formatOf, isOwnTypeScript } from './typescript-sources.js';

/** What `--config`, `--app`, `--database` and `--schema` say. */
export interface ConfigFlags {
  readonly config?: string;
  readonly app?: string;
  readonly database?: string;
  readonly schema?: string;
}

export interface LoadedConfig {
  readonly config: KappaConfig;
  /** The file that the definitions come from; null where there is none. */
  readonly file: string | null;
}

const NAMES = ['.ts', '.mts', '.js', '.mjs', '.cjs'].map((extension) => `kappa.config${extension}`);

/**
 * Loads options and definitions, and starts nothing: `--app`, else `--config`, else `kappa.config.*` of the working directory,
 * else none (what needs only the database works without). Flags win over what is loaded.
 * @throws KAPPA_CONFIG_MISSING, KAPPA_CONFIG_FAILED, KAPPA_CONFIG_EMPTY, KAPPA_TWO_COPIES, KAPPA_APP_STARTS; those of configOfApp
 */
export async function loadConfig(flags: ConfigFlags, directory = process.cwd()): Promise<LoadedConfig> {
  const file = fileOf(flags, directory);
  if (file === null) return { config: withFlags({}, flags), file };
  refuseSecondCopy(file);
  if (flags.app !== undefined) refuseStarter(file);
  const exports = await importFile(file);
  if (flags.app === undefined) return { config: withFlags(configFrom(exports, file), flags), file };
  // Loads Nest itself, which no other command needs.
  const { configOfApp } = await import('./app-config.js');
  const config = await configOfApp(exports, file);
  return { config: withFlags(config, flags), file };
}

function fileOf(flags: ConfigFlags, directory: string): string | null {
  const named = flags.app ?? flags.config;
  if (named === undefined) return NAMES.map((name) => path.join(directory, name)).find((file) => existsSync(file)) ?? null;
  const file = path.resolve(directory, named);
  if (existsSync(file)) return file;
  throw new KappaError('KAPPA_CONFIG_MISSING', `there is no ${file}`, {
    facts: { file },
    nextStep: `Give another path to ${flags.app === undefined ? '--config' : '--app'}.`,
  });
}

/** Symbols and metadata are per copy of the package: definitions made by another copy would be strangers to this one. */
function refuseSecondCopy(file: string): void {
  let theirs: string;
  try {
    theirs = realpathSync(createRequire(path.join(path.dirname(file), 'app.js')).resolve('nest-kappa'));
  } catch {
    return;
  }
  const ours = realpathSync(fileURLToPath(new URL('../index.js', import.meta.url)));
  if (theirs === ours) return;
  throw new KappaError('KAPPA_TWO_COPIES', `${file} uses ${theirs}, this command is ${ours}`, {
    facts: { application: theirs, command: ours },
    nextStep: 'Run `npx nest-kappa` in the folder of the application.',
  });
}

/** Importing a file that creates an application would start its crons and consumers. */
function refuseStarter(file: string): void {
  if (!/\bNestFactory\s*\.\s*create/.test(readFileSync(file, 'utf8'))) return;
  throw new KappaError('KAPPA_APP_STARTS', `${file} starts an application when it is loaded`, {
    facts: { file },
    nextStep: 'Give the file that exports AppModule, like --app src/app.module.ts.',
  });
}

async function importFile(file: string): Promise<object> {
  try {
    if (isOwnTypeScript(file)) {
      // What every configuration imports is loaded first, for on Node 20 each import costs a round trip once hooks are there.
      await import('../index.js');
      installTypeScript();
      if (formatOf(file) === 'commonjs') return createRequire(file)(file) as object;
    }
    return (await import(pathToFileURL(file).href)) as object;
  } catch (error) {
    throw importError(error, file);
  }
}

function importError(error: unknown, file: string): unknown {
  if (isKappaError(error) && error.code !== 'KAPPA_SYNTAX') return error;
  const reason = error instanceof Error ? error.message : String(error);
  return new KappaError('KAPPA_CONFIG_FAILED', `${file} cannot be loaded: ${reason}`, {
    facts: { file },
    nextStep: adviceFor(reason),
    cause: error,
  });
}

function adviceFor(reason: string): string {
  if (reason.includes('does not provide an export named')) return 'Where it is a type, import it with `import type`.';
  if (/Cannot find (module|package)/.test(reason)) return 'Check the import, and that dependencies are installed.';
  return 'Correct it; `--debug` shows where.';
}

/** The default export; compiled CommonJS wraps it once more. */
function configFrom(exports: object, file: string): KappaConfig {
  let found: unknown = exports;
  for (let depth = 0; depth < 3 && isObject(found) && 'default' in found; depth += 1) found = found['default'];
  if (isObject(found) && ['options', 'aggregates', 'projections', 'policies'].some((name) => name in found)) return found;
  throw new KappaError('KAPPA_CONFIG_EMPTY', `${file} exports no configuration`, {
    facts: { file, exports: Object.keys(exports) },
    nextStep: 'Write `export default defineKappaConfig({ options, aggregates, projections, policies })`.',
  });
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}

function withFlags(config: KappaConfig, flags: ConfigFlags): KappaConfig {
  if (flags.database === undefined && flags.schema === undefined) return config;
  const { url, dataDir, ...rest }: KappaDatabaseOptions = config.options?.database ?? {};
  const place =
    flags.database === undefined
      ? { ...(url === undefined ? {} : { url }), ...(dataDir === undefined ? {} : { dataDir }) }
      : { url: flags.database };
  return {
    ...config,
    options: {
      ...config.options,
      database: { ...rest, ...place, ...(flags.schema === undefined ? {} : { schema: flags.schema }) },
    },
  };
}
