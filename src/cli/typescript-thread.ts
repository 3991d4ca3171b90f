/** The hooks of {@link installTypeScript} for `import` on Node 20, which runs them in a thread of their own. */
import type { LoadHook, ResolveHook } from 'node:module';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { formatOf, isOwnTypeScript, TypeScriptSources } from './typescript-sources.js';

const sources = new TypeScriptSources();

export const resolve: ResolveHook = (specifier, context, next) => {
  const file = context.parentURL?.startsWith('file:') ? sources.resolve(specifier, fileURLToPath(context.parentURL)) : null;
  return file === null ? next(specifier, context) : { url: pathToFileURL(file).href, shortCircuit: true };
};

export const load: LoadHook = (url, context, next) => {
  const file = url.startsWith('file:') ? fileURLToPath(url) : '';
  if (!isOwnTypeScript(file)) return next(url, context);
  // CommonJS without a source is loaded by require, which compiles it in the main thread.
  if (formatOf(file) === 'commonjs') return { format: 'commonjs', shortCircuit: true };
  return { ...sources.compile(file), shortCircuit: true };
};
