import * as nodeModule from 'node:module';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { formatOf, isOwnTypeScript, TypeScriptSources } from './typescript-sources.js';

interface Resolved {
  readonly url: string;
  readonly shortCircuit: boolean;
  readonly format?: string | null | undefined;
}
interface Loaded {
  readonly format: string;
  readonly source?: unknown;
  readonly shortCircuit: boolean;
}

/** Node's synchronous hooks (22.15 and newer), for `import` and `require` alike. */
interface SyncHooks {
  resolve(
    specifier: string,
    context: { readonly parentURL?: string | undefined },
    next: (specifier: string, context: unknown) => Resolved,
  ): Resolved;
  load(url: string, context: unknown, next: (url: string, context: unknown) => Loaded): Loaded;
}

/** The slice of Node's CommonJS loader that Node 20 leaves open to compilers; newer versions have {@link SyncHooks}. */
interface CommonJsLoader {
  readonly _extensions: Record<string, (module: { _compile(source: string, file: string): void }, file: string) => void>;
  _resolveFilename(specifier: string, parent: { readonly filename?: string | null } | null, ...rest: unknown[]): string;
}

/**
 * From here on, this process loads TypeScript: see {@link TypeScriptSources}. Packages in node_modules stay with Node, so that
 * there is one nest-kappa, one typeorm and one class-validator.
 */
export function installTypeScript(): void {
  const sources = new TypeScriptSources();
  process.setSourceMapsEnabled(true);
  const { registerHooks } = nodeModule as { readonly registerHooks?: (hooks: SyncHooks) => void };
  if (registerHooks) {
    registerHooks(syncHooks(sources));
  } else {
    extendRequire(sources);
    nodeModule.register('./typescript-thread.js', import.meta.url);
  }
}

function syncHooks(sources: TypeScriptSources): SyncHooks {
  return {
    resolve(specifier, context, next) {
      const file = context.parentURL?.startsWith('file:') ? sources.resolve(specifier, fileURLToPath(context.parentURL)) : null;
      return file === null
        ? next(specifier, context)
        : { url: pathToFileURL(file).href, shortCircuit: true, format: isOwnTypeScript(file) ? formatOf(file) : undefined };
    },
    load(url, context, next) {
      const file = url.startsWith('file:') ? fileURLToPath(url) : '';
      return isOwnTypeScript(file) ? { ...sources.compile(file), shortCircuit: true } : next(url, context);
    },
  };
}

function extendRequire(sources: TypeScriptSources): void {
  const loader = nodeModule.Module as unknown as CommonJsLoader;
  const resolveFilename = loader._resolveFilename.bind(loader);
  loader._resolveFilename = (specifier, parent, ...rest) =>
    (parent?.filename ? sources.resolve(specifier, parent.filename) : null) ?? resolveFilename(specifier, parent, ...rest);
  for (const extension of ['.ts', '.tsx', '.cts']) {
    loader._extensions[extension] = (module, file) => module._compile(sources.compile(file).source, file);
  }
}
