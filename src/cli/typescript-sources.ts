import { existsSync, readFileSync, statSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import type ts from 'typescript';
import { KappaError } from '../kernel/errors.js';

type TypeScript = typeof ts;
type Format = 'module' | 'commonjs';

export interface CompiledSource {
  readonly format: Format;
  readonly source: string;
}

const TYPESCRIPT_FILE = /\.[cm]?tsx?$/;
const IN_NODE_MODULES = /[\\/]node_modules[\\/]/;

/** What a written extension may stand for, in the order in which it is looked for. */
const WRITTEN: Readonly<Record<string, readonly string[]>> = {
  '.js': ['.ts', '.tsx'],
  '.jsx': ['.tsx'],
  '.mjs': ['.mts'],
  '.cjs': ['.cts'],
};
const OMITTED: readonly string[] = ['.ts', '.tsx', '.mts', '.cts', '/index.ts', '/index.tsx', '/index.mts', '/index.cts'];

/** True for the application's own TypeScript; what stands in node_modules is loaded as Node loads it. */
export function isOwnTypeScript(file: string): boolean {
  return TYPESCRIPT_FILE.test(file) && !file.endsWith('.d.ts') && !IN_NODE_MODULES.test(file);
}

/**
 * Compiles the application's TypeScript with the application's own compiler and tsconfig.json, file by file, without type
 * checking: folds then read as they do in the built app, so that their fingerprints are equal, and decorator metadata is there.
 */
export class TypeScriptSources {
  readonly #compilers = new Map<string, TypeScript>();
  readonly #options = new Map<string, ts.CompilerOptions>();

  /** The file that an import written in TypeScript means, or null where Node itself finds it. */
  resolve(specifier: string, importer: string): string | null {
    if (!isOwnTypeScript(importer) || specifier.startsWith('node:')) return null;
    const directory = path.dirname(importer);
    if (specifier.startsWith('file:')) return typeScriptFileAt(fileURLToPath(specifier));
    if (/^\.\.?([\\/]|$)/.test(specifier) || path.isAbsolute(specifier))
      return typeScriptFileAt(path.resolve(directory, specifier));
    return this.#mapped(specifier, importer);
  }

  /** @throws KAPPA_NO_TYPESCRIPT where the application has no compiler, KAPPA_SYNTAX naming line and column. */
  compile(file: string): CompiledSource {
    const typescript = this.#compilerFor(file);
    const format = formatOf(file);
    const { outputText, sourceMapText, diagnostics } = typescript.transpileModule(readFileSync(file, 'utf8'), {
      fileName: file,
      reportDiagnostics: true,
      compilerOptions: { ...this.#optionsFor(file, typescript), ...moduleOptions(typescript, format) },
    });
    const [problem] = diagnostics ?? [];
    if (problem) throw syntaxError(typescript, file, problem);
    const map = { ...(JSON.parse(sourceMapText ?? '{}') as object), sources: [file], sourceRoot: '' };
    const source = `${outputText.replace(/\n\/\/# sourceMappingURL=.*\s*$/, '\n')}//# sourceMappingURL=data:application/json;base64,${Buffer.from(JSON.stringify(map)).toString('base64')}\n`;
    return { format, source };
  }

  #mapped(specifier: string, importer: string): string | null {
    // Whatever `paths` say: definitions must come from the copy of this package that reads them.
    if (/^nest-kappa(\/|$)/.test(specifier)) return null;
    if (!nearest(importer, 'tsconfig.json')) return null;
    const { paths, baseUrl, pathsBasePath } = this.#optionsFor(importer, this.#compilerFor(importer));
    const base = baseUrl ?? (pathsBasePath as string | undefined);
    if (base === undefined) return null;
    for (const target of targetsOf(specifier, paths ?? {})) {
      const file = typeScriptFileAt(path.resolve(base, target)) ?? fileAt(path.resolve(base, target));
      if (file) return file;
    }
    return baseUrl === undefined ? null : typeScriptFileAt(path.resolve(baseUrl, specifier));
  }

  #compilerFor(file: string): TypeScript {
    const directory = path.dirname(file);
    const known = this.#compilers.get(directory);
    if (known) return known;
    const compiler = loadCompiler(file);
    this.#compilers.set(directory, compiler);
    return compiler;
  }

  #optionsFor(file: string, typescript: TypeScript): ts.CompilerOptions {
    const config = nearest(file, 'tsconfig.json') ?? '';
    const known = this.#options.get(config);
    if (known) return known;
    const options = compilerOptions(typescript, config);
    this.#options.set(config, options);
    return options;
  }
}

/** Whether Node runs the file as an ES module: by extension, else by the nearest package.json. */
export function formatOf(file: string): Format {
  if (/\.m[jt]sx?$/.test(file)) return 'module';
  if (/\.c[jt]sx?$/.test(file)) return 'commonjs';
  const manifest = nearest(file, 'package.json');
  if (!manifest) return 'commonjs';
  return (JSON.parse(readFileSync(manifest, 'utf8')) as { type?: unknown }).type === 'module' ? 'module' : 'commonjs';
}

function compilerOptions(typescript: TypeScript, config: string): ts.CompilerOptions {
  // Files are not listed: only the options matter here, and a large tree would be walked for nothing.
  const host = { ...typescript.sys, readDirectory: () => [], onUnRecoverableConfigFileDiagnostic: () => undefined };
  const given = config ? (typescript.getParsedCommandLineOfConfigFile(config, {}, host)?.options ?? {}) : {};
  return {
    target: typescript.ScriptTarget.ES2022,
    ...given,
    experimentalDecorators: true,
    emitDecoratorMetadata: true,
    isolatedModules: true,
    sourceMap: true,
    inlineSourceMap: false,
    inlineSources: true,
    declaration: false,
    declarationMap: false,
    composite: false,
    incremental: false,
    noEmit: false,
    emitDeclarationOnly: false,
  };
}

/** One file compiled alone under nodenext is taken for CommonJS, for no package.json is looked at; hence the two. */
function moduleOptions(typescript: TypeScript, format: Format): ts.CompilerOptions {
  const { ModuleKind, ModuleResolutionKind } = typescript;
  return format === 'module'
    ? { module: ModuleKind.ESNext, moduleResolution: ModuleResolutionKind.Bundler }
    : { module: ModuleKind.NodeNext, moduleResolution: ModuleResolutionKind.NodeNext };
}

function loadCompiler(file: string): TypeScript {
  // Asked for from beside the file, not by it: imports of TypeScript files come back to `resolve`, which needs the compiler.
  const require = createRequire(path.join(path.dirname(file), 'compiler.js'));
  let typescript: Partial<TypeScript>;
  try {
    typescript = require('typescript') as Partial<TypeScript>;
  } catch (error) {
    throw noTypeScript(file, 'typescript is not installed there', error);
  }
  if (!typescript.transpileModule)
    throw noTypeScript(file, `typescript ${typescript.version ?? ''} there cannot compile from code`);
  return typescript as TypeScript;
}

function typeScriptFileAt(base: string): string | null {
  const written = path.extname(base);
  const stem = base.slice(0, base.length - written.length);
  const candidates = [
    ...(WRITTEN[written] ?? []).map((extension) => stem + extension),
    base,
    ...OMITTED.map((extension) => base + extension),
  ];
  return candidates.find((candidate) => TYPESCRIPT_FILE.test(candidate) && fileAt(candidate) !== null) ?? null;
}

function fileAt(candidate: string): string | null {
  return existsSync(candidate) && statSync(candidate).isFile() ? candidate : null;
}

/** What `compilerOptions.paths` says of a specifier: the exact name, else the pattern with the longest beginning. */
function targetsOf(specifier: string, paths: Readonly<Record<string, readonly string[]>>): readonly string[] {
  const exact = paths[specifier];
  if (exact) return exact;
  const fitting = Object.keys(paths)
    .map((pattern) => ({ pattern, parts: pattern.split('*') as [string, string?] }))
    .filter(
      ({ parts: [start, end] }) =>
        end !== undefined &&
        specifier.length >= start.length + end.length &&
        specifier.startsWith(start) &&
        specifier.endsWith(end),
    )
    .sort((a, b) => b.parts[0].length - a.parts[0].length)[0];
  if (!fitting) return [];
  const [start, end] = fitting.parts;
  const middle = specifier.slice(start.length, specifier.length - (end ?? '').length);
  return (paths[fitting.pattern] ?? []).map((target) => target.replace('*', () => middle));
}

function nearest(file: string, name: string): string | null {
  for (let directory = path.dirname(file); ; directory = path.dirname(directory)) {
    const candidate = path.join(directory, name);
    if (existsSync(candidate)) return candidate;
    if (path.dirname(directory) === directory) return null;
  }
}

function syntaxError(typescript: TypeScript, file: string, problem: ts.Diagnostic): KappaError {
  const place = problem.file?.getLineAndCharacterOfPosition(problem.start ?? 0);
  const at = place ? `${file}:${place.line + 1}:${place.character + 1}` : file;
  return new KappaError('KAPPA_SYNTAX', `${at}: ${typescript.flattenDiagnosticMessageText(problem.messageText, ' ')}`, {
    facts: { file },
    nextStep: 'Correct the file.',
  });
}

function noTypeScript(file: string, why: string, cause?: unknown): KappaError {
  return new KappaError('KAPPA_NO_TYPESCRIPT', `${file} is TypeScript, and ${why}`, {
    facts: { file },
    nextStep: 'Install typescript 5.8 to 6, or give the compiled file: --config dist/kappa.config.js.',
    cause,
  });
}
