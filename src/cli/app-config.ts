import 'reflect-metadata';
import type { DynamicModule, ForwardReference, Provider, Type } from '@nestjs/common';
import { KappaError } from '../kernel/errors.js';
import { KappaFeature, KappaSettings } from '../modules/kappa/kappa-host.js';
import type { KappaConfig, KappaDefinitions, KappaOptions } from '../modules/kappa/kappa-options.js';

type Imported = Type | DynamicModule | Promise<DynamicModule> | ForwardReference;

interface Found {
  settings: KappaSettings | null;
  /** `forRootAsync` is imported: its options exist only in a running application. */
  isAsync: boolean;
  readonly features: KappaFeature[];
}

/**
 * Options and definitions of a Nest application, read from the metadata of its module and of all that it imports. Nothing is
 * instantiated and no factory is called: crons, consumers and servers of the application stay asleep.
 * @throws KAPPA_NO_APP_MODULE where the file exports no module, or several and none is the default or called AppModule
 */
export async function configOfApp(exports: object, file: string): Promise<KappaConfig> {
  const found: Found = { settings: null, isAsync: false, features: [] };
  await walk(appModule(exports, file), found, new Set());
  return { ...optionsOf(found), ...definitionsOf(found.features) };
}

/** True for what the options of `--app` cannot be read from: they are made by a factory of the application. */
function optionsOf({ settings, isAsync }: Found): { readonly options?: KappaOptions } {
  if (settings) return { options: settings.options };
  if (!isAsync) return {};
  process.emitWarning(
    'KappaModule.forRootAsync is not evaluated: options come from --database, --schema and the environment.',
    { code: 'KAPPA_ASYNC_OPTIONS' },
  );
  return {};
}

function definitionsOf(features: readonly KappaFeature[]): KappaDefinitions {
  const distinct = new Set(features.map(({ definitions }) => definitions));
  return {
    aggregates: [...distinct].flatMap(({ aggregates }) => aggregates ?? []),
    projections: [...distinct].flatMap(({ projections }) => projections ?? []),
    policies: [...distinct].flatMap(({ policies }) => policies ?? []),
  };
}

function appModule(exports: object, file: string): Type {
  const named = exports as Readonly<Record<string, unknown>>;
  const modules = new Map(Object.entries(named).filter((entry): entry is [string, Type] => isModule(entry[1])));
  const distinct = [...new Set(modules.values())];
  const chosen = modules.get('default') ?? modules.get('AppModule') ?? (distinct.length === 1 ? distinct[0] : undefined);
  if (chosen) return chosen;
  throw new KappaError(
    'KAPPA_NO_APP_MODULE',
    `${file} exports ${distinct.length === 0 ? 'no Nest module' : `the modules ${[...modules.keys()].join(', ')}`}`,
    {
      facts: { file, exports: Object.keys(exports) },
      nextStep: 'Give the file that exports AppModule, like --app src/app.module.ts.',
    },
  );
}

function isModule(value: unknown): boolean {
  // What @Module() writes; a module without options has none of these and is of no interest here.
  return (
    typeof value === 'function' &&
    ['imports', 'providers', 'controllers', 'exports'].some((key) => Reflect.hasMetadata(key, value))
  );
}

async function walk(entry: Imported | undefined, found: Found, seen: Set<unknown>): Promise<void> {
  const module = await settled(entry);
  if (!module || seen.has(module)) return;
  seen.add(module);
  const isDynamic = typeof module === 'object';
  const target = isDynamic ? module.module : module;
  if (isDynamic) {
    for (const provider of module.providers ?? []) look(provider, found);
    for (const imported of module.imports ?? []) await walk(imported as Imported, found, seen);
  }
  if (isDynamic && seen.has(target)) return;
  seen.add(target);
  for (const provider of metadata<Provider>('providers', target)) look(provider, found);
  for (const imported of metadata<Imported>('imports', target)) await walk(imported, found, seen);
}

function look(provider: Provider, found: Found): void {
  if (typeof provider !== 'object') return;
  if ('useValue' in provider && provider.useValue instanceof KappaSettings) found.settings ??= provider.useValue;
  if ('useValue' in provider && provider.useValue instanceof KappaFeature) found.features.push(provider.useValue);
  if (provider.provide === KappaSettings && !('useValue' in provider)) found.isAsync = true;
}

/** A dynamic module may be promised, and a circular import is a function of it. */
async function settled(entry: Imported | undefined): Promise<Type | DynamicModule | undefined> {
  const awaited = await entry;
  if (awaited && 'forwardRef' in awaited) return settled((awaited as ForwardReference<() => Imported>).forwardRef());
  return awaited as Type | DynamicModule | undefined;
}

function metadata<T>(key: string, target: Type): readonly T[] {
  return (Reflect.getMetadata(key, target) as readonly T[] | undefined) ?? [];
}
