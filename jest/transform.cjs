const { createHash } = require('node:crypto');
const { existsSync, readFileSync } = require('node:fs');
const { dirname, join } = require('node:path');

const swc = loadSwc();
const ownSource = readFileSync(__filename, 'utf8');
/** Folder → whether `.js` in it is an ES module. */
const moduleFolders = new Map();

module.exports = {
  process(source, file) {
    const typescript = /\.[cm]?ts$/.test(file);
    const commonJs = !typescript && !isEsModule(file);
    if (!commonJs) return swc.transformSync(source, optionsFor(file, { typescript, commonJs }));
    if (!hasDynamicImport(source)) return { code: source };
    try {
      return swc.transformSync(source, optionsFor(file, { typescript, commonJs }));
    } catch {
      // Sloppy code that no module may hold (`with`, octal numbers): it runs as it is, save for its import().
      return { code: source };
    }
  },

  getCacheKey(source, file, { configString, instrument }) {
    const parts = [source, file, configString, String(instrument), ownSource, swc.version, process.version];
    return parts.reduce((hash, part) => hash.update(part).update('\0'), createHash('sha256')).digest('hex');
  },
};

function optionsFor(file, { typescript, commonJs }) {
  return {
    filename: file,
    swcrc: false,
    configFile: false,
    // SWC rewrites `import()` in modules alone. A CommonJS file is read as one, but keeps its own `this` and its own mode.
    isModule: true,
    module: { type: 'commonjs', strictMode: !commonJs, allowTopLevelThis: commonJs },
    sourceMaps: true,
    inlineSourcesContent: true,
    jsc: {
      target: 'es2022',
      keepClassNames: true,
      parser: typescript ? { syntax: 'typescript', decorators: true } : { syntax: 'ecmascript' },
      transform: {
        legacyDecorator: true,
        decoratorMetadata: true,
        // Hoists jest.mock() above the imports, as Jest's own transform does.
        hidden: { jest: true },
      },
    },
  };
}

function hasDynamicImport(source) {
  return /\bimport\s*\(/.test(source);
}

function isEsModule(file) {
  if (file.endsWith('.mjs')) return true;
  return file.endsWith('.js') && isModuleFolder(dirname(file));
}

/** As Node decides: by the `type` of the nearest package.json. */
function isModuleFolder(folder) {
  const known = moduleFolders.get(folder);
  if (known !== undefined) return known;
  const manifest = join(folder, 'package.json');
  const parent = dirname(folder);
  const result = existsSync(manifest)
    ? JSON.parse(readFileSync(manifest, 'utf8')).type === 'module'
    : parent !== folder && isModuleFolder(parent);
  moduleFolders.set(folder, result);
  return result;
}

function loadSwc() {
  try {
    return require('@swc/core');
  } catch (cause) {
    throw new Error(
      'KAPPA_NO_SWC: the Jest preset of nest-kappa compiles with SWC, which is not installed. Run: npm install --save-dev @swc/core',
      { cause },
    );
  }
}
