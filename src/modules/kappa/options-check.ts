import { readFileSync } from 'node:fs';
import { letterOptions, type ResolvedDeadLetterOptions } from '../../database/dead-letters/letter-policy.js';
import { didYouMean } from '../../kernel/did-you-mean.js';
import { KappaError } from '../../kernel/errors.js';
import { DEFAULT_MAX_RECORD_BYTES } from '../../log/event-log.js';
import type { LogDriver } from '../../log/log-driver.js';
import { checkDefinitions, type ResolvedDefinitions } from './definitions-check.js';
import type { KappaConfig, KappaDatabaseOptions, KappaOptions, KappaRunOptions } from './kappa-options.js';
import {
  atLeast,
  each,
  flag,
  identifier,
  isObject,
  oneOf,
  postgresUrl,
  shown,
  text,
  whole,
  type Check,
} from './option-values.js';

/** Options with every default filled in, and the definitions behind the lists; checked once, frozen. */
export interface ResolvedOptions {
  readonly name: string;
  readonly production: boolean;
  readonly database: {
    /** Null: the embedded PostgreSQL in `dataDir`. */
    readonly url: string | null;
    readonly dataDir: string;
    readonly schema: string;
    readonly viewSchema: string;
    readonly migrate: 'auto' | 'check';
    readonly poolSize: number;
    readonly connectTimeoutMs: number;
  };
  /** `driver` is null where PostgreSQL carries the log. */
  readonly log: { readonly driver: LogDriver | null; readonly maxRecordBytes: number };
  readonly run: Required<KappaRunOptions>;
  readonly projections: {
    readonly rebuildMemoryMb: number;
    readonly standbyHours: number;
    readonly onChangedCode: 'rebuild' | 'warn';
    readonly deadLetters: ResolvedDeadLetterOptions;
  };
  readonly policies: { readonly deadLetters: ResolvedDeadLetterOptions };
  readonly commands: { readonly stateCacheSize: number; readonly retries: number };
  readonly shutdownTimeoutMs: number;
  readonly definitions: ResolvedDefinitions;
}

type Env = Readonly<Record<string, string | undefined>>;

const RUNS = ['commands', 'relay', 'projections', 'policies', 'rest'] as const;
const DEFAULT_DATA_DIR = './.kappa';

const lettersOf = each({ retries: whole(0, 1_000), halt: flag, maxLetters: whole(0, 1_000_000) });

const SECTIONS: Readonly<Record<string, Check | Readonly<Record<string, Check>>>> = {
  name: text,
  database: {
    url: postgresUrl,
    dataDir: text,
    schema: identifier,
    viewSchema: identifier,
    migrate: oneOf('auto', 'check'),
    poolSize: whole(2, 1_000),
    connectTimeoutMs: whole(0, 3_600_000),
  },
  log: { maxRecordBytes: whole(1_024, 64 * 1024 * 1024) },
  run: Object.fromEntries(RUNS.map((name) => [name, flag])),
  projections: {
    rebuildMemoryMb: whole(1, 1_048_576),
    standbyHours: atLeast(0),
    onChangedCode: oneOf('rebuild', 'warn'),
    deadLetters: lettersOf,
  },
  commands: { stateCacheSize: whole(0, 100_000_000), retries: whole(0, 1_000) },
  shutdownTimeoutMs: whole(0, 3_600_000),
};

const CONFIG_NAMES = ['options', 'aggregates', 'projections', 'policies'];

/**
 * Checks options and definitions, all at once, and fills in the defaults. What code names wins over the environment
 * (DATABASE_URL, KAPPA_DATA_DIR, KAPPA_RUN), which wins over the defaults.
 * @throws KAPPA_BAD_OPTIONS with every problem that was found.
 */
export function checkOptions(config: KappaConfig, env: Env = process.env): ResolvedOptions {
  const problems: string[] = [];
  for (const name of Object.keys(config)) {
    if (!CONFIG_NAMES.includes(name))
      problems.push(unknownName(name, CONFIG_NAMES, name in SECTIONS ? `options.${name}` : null));
  }
  const options = checkShape(config.options, problems);
  const run = resolveRun(options.run, env['KAPPA_RUN'], problems);
  const database = resolveDatabase(options.database ?? {}, env, problems);
  const definitions = checkDefinitions(config, problems);
  if (problems.length > 0) throw badOptions(problems);
  const production = env['NODE_ENV'] === 'production';
  return deepFreeze({
    name: options.name ?? packageName() ?? 'nest-kappa',
    production,
    database,
    log: resolveLog(options.log),
    run,
    projections: {
      rebuildMemoryMb: options.projections?.rebuildMemoryMb ?? 256,
      standbyHours: options.projections?.standbyHours ?? 24,
      onChangedCode: options.projections?.onChangedCode ?? (production ? 'warn' : 'rebuild'),
      deadLetters: letterOptions(options.projections?.deadLetters),
    },
    policies: { deadLetters: letterOptions(options.policies?.deadLetters) },
    commands: { stateCacheSize: options.commands?.stateCacheSize ?? 10_000, retries: options.commands?.retries ?? 10 },
    shutdownTimeoutMs: options.shutdownTimeoutMs ?? 15_000,
    definitions,
  });
}

/** Checks names, types and ranges; returns what can be trusted of the options. */
function checkShape(given: unknown, problems: string[]): KappaOptions {
  if (given === undefined) return {};
  if (!isObject(given)) {
    problems.push(`options is ${shown(given)}; must be an object`);
    return {};
  }
  const sound: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(given)) {
    const section = SECTIONS[name];
    if (section === undefined) problems.push(unknownName(name, Object.keys(SECTIONS), sectionOf(name)));
    else if (typeof section === 'function') checkValue(name, name, value, section, sound, problems);
    else if (name === 'log' && isDriver(value)) sound[name] = value;
    else sound[name] = checkSection(name, value, section, problems);
  }
  return sound;
}

/** What `kafka({ … })` and its like return; they check their own options. */
function isDriver(value: unknown): value is LogDriver {
  return isObject(value) && typeof value['open'] === 'function';
}

function resolveLog(given: KappaOptions['log']): ResolvedOptions['log'] {
  if (isDriver(given)) return { driver: given, maxRecordBytes: given.maxRecordBytes };
  return { driver: null, maxRecordBytes: given?.maxRecordBytes ?? DEFAULT_MAX_RECORD_BYTES };
}

function checkSection(
  section: string,
  given: unknown,
  checks: Readonly<Record<string, Check>>,
  problems: string[],
): Record<string, unknown> {
  const sound: Record<string, unknown> = {};
  if (given === undefined) return sound;
  if (!isObject(given)) {
    problems.push(`${section} is ${shown(given)}; must be an object with ${Object.keys(checks).join(', ')}`);
    return sound;
  }
  for (const [name, value] of Object.entries(given)) {
    const check = checks[name];
    if (check === undefined)
      problems.push(unknownName(`${section}.${name}`, Object.keys(checks), instead(section, name), name));
    else checkValue(name, `${section}.${name}`, value, check, sound, problems);
  }
  return sound;
}

function instead(section: string, name: string): string | null {
  return section === 'log' && name === 'brokers' ? "log: kafka({ brokers }), by kafka of 'nest-kappa/kafka'" : null;
}

function checkValue(
  name: string,
  path: string,
  value: unknown,
  check: Check,
  sound: Record<string, unknown>,
  problems: string[],
): void {
  if (value === undefined) return;
  const wrong = check(value);
  if (wrong === null) sound[name] = value;
  else problems.push(`${path} is ${check === postgresUrl ? 'no such URL' : shown(value)}; ${wrong}`);
}

function resolveRun(
  given: KappaRunOptions | undefined,
  fromEnv: string | undefined,
  problems: string[],
): ResolvedOptions['run'] {
  if (given !== undefined) return runOf((name) => given[name] ?? false);
  if (fromEnv === undefined || fromEnv.trim() === '') return runOf(() => true);
  const named = fromEnv.split(',').map((part) => part.trim());
  for (const name of named) {
    if (!RUNS.some((known) => known === name)) problems.push(unknownName(`KAPPA_RUN=${name}`, RUNS, null, name));
  }
  return runOf((name) => named.includes(name));
}

function runOf(does: (name: (typeof RUNS)[number]) => boolean): ResolvedOptions['run'] {
  return {
    commands: does('commands'),
    relay: does('relay'),
    projections: does('projections'),
    policies: does('policies'),
    rest: does('rest'),
  };
}

function resolveDatabase(given: KappaDatabaseOptions, env: Env, problems: string[]): ResolvedOptions['database'] {
  const fromEnv = { url: env['DATABASE_URL'] || undefined, dataDir: env['KAPPA_DATA_DIR'] || undefined };
  const inCode = given.url !== undefined || given.dataDir !== undefined;
  if (given.url !== undefined && given.dataDir !== undefined)
    problems.push('database.url and database.dataDir contradict each other; name one');
  if (!inCode && fromEnv.url !== undefined && fromEnv.dataDir !== undefined)
    problems.push('DATABASE_URL and KAPPA_DATA_DIR contradict each other; unset one');
  if (!inCode && fromEnv.url !== undefined) {
    const wrong = postgresUrl(fromEnv.url);
    if (wrong !== null) problems.push(`DATABASE_URL is no such URL; ${wrong}`);
  }
  const { url, dataDir } = inCode ? given : fromEnv;
  if (url === undefined && dataDir === undefined && env['NODE_ENV'] === 'production') {
    problems.push(
      'no database is named and NODE_ENV is production: events would be written to the disk of this container; set DATABASE_URL or database.url, or name a lasting folder by KAPPA_DATA_DIR or database.dataDir',
    );
  }
  return {
    url: url ?? null,
    dataDir: dataDir ?? DEFAULT_DATA_DIR,
    schema: given.schema ?? 'kappa',
    viewSchema: given.viewSchema ?? 'public',
    migrate: given.migrate ?? 'auto',
    poolSize: given.poolSize ?? 10,
    connectTimeoutMs: given.connectTimeoutMs ?? 30_000,
  };
}

/** The error that tells all problems at once. */
export function badOptions(problems: readonly string[]): KappaError {
  const list = problems.map((problem) => `\n  - ${problem}`).join('');
  return new KappaError(
    'KAPPA_BAD_OPTIONS',
    `${problems.length === 1 ? 'one problem' : `${problems.length} problems`} in the options or definitions:${list}`,
    {
      facts: { problems },
      nextStep: 'Correct what is named, in KappaModule.forRoot and forFeature, in kappa.config.ts or in the environment.',
    },
  );
}

function unknownName(path: string, known: readonly string[], instead: string | null, name = path): string {
  return instead === null
    ? `${path} is unknown${didYouMean(name, known)}`
    : `${path} is unknown here; did you mean ${instead}?`;
}

/** The section an option belongs to that was written one level too high: `url` → `database.url`. */
function sectionOf(name: string): string | null {
  const found = Object.entries(SECTIONS).find(([, checks]) => typeof checks === 'object' && name in checks);
  return found ? `${found[0]}.${name}` : null;
}

function packageName(): string | null {
  try {
    const { name } = JSON.parse(readFileSync('package.json', 'utf8')) as { name?: unknown };
    return typeof name === 'string' && name !== '' ? name : null;
  } catch {
    return null;
  }
}

/** Freezes the options and their sections; definitions are the application's own objects and stay as they are. */
function deepFreeze(options: ResolvedOptions): ResolvedOptions {
  for (const section of Object.values(options)) if (isObject(section) || Array.isArray(section)) Object.freeze(section);
  return Object.freeze(options);
}
