/**
 * The import rule: data flows through the log, imports point towards it. A folder may import only folders with a lower number;
 * equal numbers never import each other. Everything below is made from this table.
 */
const levels = {
  kernel: 0,
  database: 1,
  log: 2,
  'modules/aggregates': 3,
  'modules/processors': 3,
  'modules/policies': 3,
  'modules/projections': 4,
  'modules/connectors': 4,
  'modules/serving': 5,
  'modules/operations': 6,
  'modules/kappa': 7,
  testing: 8,
  cli: 9,
};

/** The highest number that the package's main entry point shows; what stands above has an entry point of its own. */
const INDEX_LEVEL = 7;

/** Optional peers: code that does without them is loaded without them, so they are asked for where they are used, by `import()` or `createRequire`. */
const optionalPeers = ['@swc/core', 'class-validator', 'class-transformer', 'typescript', 'testcontainers'];

/** What files of these folders may not know: an engine that knows no Nest is tested without it. */
const withoutNest = ['kernel', 'database', 'log', 'modules/aggregates'];

/** Node's modules without I/O, all that the kernel may use; `module` is how it asks for an optional peer. */
const pureNodeModules = ['buffer', 'crypto', 'module', 'util'];

const names = Object.keys(levels);
/** The folder itself, or for the composition root also the file `kappa.module.ts` beside it. */
const inside = (folder) => `^src/${folder}(/|\\.module\\.ts$)`;
const anyOf = (folders) => folders.map(inside).join('|');
const escaped = (text) => text.replace(/[.*+?^${}()|[\]\\/]/g, '\\$&');

const importRule = names.flatMap((folder) => {
  const forbidden = names.filter((other) => other !== folder && levels[other] >= levels[folder]);
  // An empty pattern would match everything.
  if (forbidden.length === 0) return [];
  return {
    name: `${folder.replace('/', '-')}-imports-lower-numbers-only`,
    comment: `src/${folder} has number ${levels[folder]}: it may import folders with a lower number, and nothing else of src.`,
    severity: 'error',
    from: { path: inside(folder) },
    to: { path: anyOf(forbidden) },
  };
});

export default {
  forbidden: [
    ...importRule,
    {
      name: 'index-shows-modules-only',
      comment: 'The main entry point shows folders up to 7; testing and cli have entry points of their own.',
      severity: 'error',
      from: { path: '^src/index\\.ts$' },
      to: { path: anyOf(names.filter((folder) => levels[folder] > INDEX_LEVEL)) },
    },
    {
      name: 'every-folder-has-a-number',
      comment: 'A new folder of src stands in the table of .dependency-cruiser.mjs before it is imported.',
      severity: 'error',
      from: {},
      to: { path: '^src/', pathNot: `${anyOf(names)}|^src/index\\.ts$` },
    },
    {
      name: 'every-folder-has-a-number-also-unused',
      severity: 'error',
      from: { path: '^src/', pathNot: `${anyOf(names)}|^src/index\\.ts$` },
      to: {},
    },
    { name: 'no-cycles', severity: 'error', from: {}, to: { circular: true, viaOnly: { dependencyTypesNot: ['type-only'] } } },
    ...['from', 'to'].map((side) => ({
      name: `no-leftover-folders-${side}`,
      comment: 'A folder is called after its idea; utils, helpers, common, shared and interfaces are not ideas.',
      severity: 'error',
      from: {},
      to: {},
      [side]: { path: '(^|/)(utils?|helpers?|common|shared|interfaces)/', pathNot: 'node_modules' },
    })),
    {
      name: 'no-barrels',
      comment: 'Only the package’s entry points gather exports; other files import the file that has the idea.',
      severity: 'error',
      from: {},
      to: { path: '^src/.+/index\\.ts$', pathNot: '^src/(testing|log/kafka)/index\\.ts$' },
    },
    {
      name: 'entry-points-are-for-the-outside',
      comment: 'Only the command, a client of the public API, may load it as a whole.',
      severity: 'error',
      from: { path: '^src/', pathNot: '^src/cli/' },
      to: { path: '^src/(index|testing/index|log/kafka/index)\\.ts$' },
    },
    {
      name: 'nest-at-the-rim',
      severity: 'error',
      from: { path: anyOf(withoutNest) },
      to: { path: 'node_modules/(@nestjs|rxjs|reflect-metadata|typeorm)/' },
    },
    {
      name: 'projections-know-typeorm-alone',
      comment: 'Columns are read from TypeORM’s notes; Nest hosts projections and is not known to them.',
      severity: 'error',
      from: { path: inside('modules/projections') },
      to: { path: 'node_modules/(@nestjs|rxjs)/' },
    },
    {
      name: 'kernel-without-io',
      severity: 'error',
      from: { path: inside('kernel') },
      to: { dependencyTypes: ['core'], pathNot: `^(node:)?(${pureNodeModules.join('|')})$` },
    },
    {
      name: 'optional-peers-are-imported-when-used',
      comment: 'A static import of an optional peer breaks every application that does without it.',
      severity: 'error',
      from: { path: '^src/' },
      to: {
        path: `node_modules/(${optionalPeers.map(escaped).join('|')})/`,
        dynamic: false,
        dependencyTypesNot: ['type-only', 'type-import', 'require'],
      },
    },
    {
      name: 'kafkajs-behind-the-driver',
      comment: 'Everything else knows the EventLog; another client can take its place there.',
      severity: 'error',
      from: { path: '^src/', pathNot: '^src/(log|testing)/kafka/' },
      to: { path: 'node_modules/kafkajs/' },
    },
    {
      name: 'only-declared-packages',
      comment: 'A package that npm happens to hoist here is missing elsewhere.',
      severity: 'error',
      from: { path: '^src/' },
      to: {
        dependencyTypes: ['npm-dev', 'npm-no-pkg', 'npm-unknown'],
        dependencyTypesNot: ['type-only', 'type-import', 'require', 'npm-peer'],
      },
    },
    { name: 'no-missing-files', severity: 'error', from: {}, to: { couldNotResolve: true } },
    {
      name: 'examples-use-public-names',
      comment: 'An example imports what any application can: the package by its public names, never a file of ours.',
      severity: 'error',
      from: { path: '^examples/' },
      to: {
        path: '^(src|dist|test|scripts|bench)/',
        pathNot: '^(src|dist)/(index|testing/index|log/kafka/index)\\.(ts|js|d\\.ts)$',
      },
    },
    {
      name: 'examples-stand-alone',
      severity: 'error',
      from: { path: '^examples/([^/]+)/' },
      to: { path: '^examples/', pathNot: '^examples/$1/' },
    },
  ],
  options: {
    tsConfig: { fileName: 'tsconfig.json' },
    tsPreCompilationDeps: true,
    combinedDependencies: true,
    doNotFollow: { path: 'node_modules|^dist/' },
    exclude: { path: '^examples/[^/]+/dist/' },
    enhancedResolveOptions: { exportsFields: ['exports'], conditionNames: ['import', 'require', 'node', 'default', 'types'] },
  },
};
