import { readFileSync } from 'node:fs';
import tseslint from 'typescript-eslint';

/** Files that may gather the exports of others: what package.json shows to the outside. */
const entryPoints = Object.values(JSON.parse(readFileSync(new URL('package.json', import.meta.url), 'utf8')).exports).flatMap(
  (target) => (typeof target === 'object' ? [target.types.replace('./dist/', 'src/').replace(/\.d\.ts$/, '.ts')] : []),
);

export default tseslint.config(
  {
    ignores: [
      '**/dist/',
      '**/node_modules/',
      '**/.kappa/',
      '**/.kappa-kafka/',
      'docs/api/',
      'coverage/',
      'test/types/',
      'test/packaging/apps/',
      '**/*.cjs',
      '*.mjs',
      '.*.mjs',
    ],
  },
  tseslint.configs.strictTypeChecked,
  tseslint.configs.stylisticTypeChecked,
  {
    languageOptions: {
      parserOptions: {
        project: ['tsconfig.json', 'examples/*/tsconfig.json', 'bench/tsconfig.json', 'faults/tsconfig.json'],
        tsconfigRootDir: import.meta.dirname,
      },
    },
    linterOptions: { reportUnusedDisableDirectives: 'error' },
    rules: {
      '@typescript-eslint/no-explicit-any': 'error',
      '@typescript-eslint/no-floating-promises': 'error',
      // In a file with decorators the rule keeps quiet by itself: there a type in a decorated signature must be imported as a
      // value when it is a class (Nest injects by it) and as a type when it is an interface (TS1272, and SWC's output dies).
      '@typescript-eslint/consistent-type-imports': [
        'error',
        { fixStyle: 'inline-type-imports', disallowTypeAnnotations: false },
      ],
      '@typescript-eslint/consistent-type-exports': 'error',
      eqeqeq: ['error', 'always', { null: 'ignore' }],
      // tsc asks for brackets where a name may be missing (noPropertyAccessFromIndexSignature is a matter of taste here).
      '@typescript-eslint/dot-notation': 'off',
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true, allowBoolean: true }],
      '@typescript-eslint/no-confusing-void-expression': [
        'error',
        { ignoreArrowShorthand: true, ignoreVoidReturningFunctions: true },
      ],
      '@typescript-eslint/no-extraneous-class': ['error', { allowWithDecorator: true }],
      // Adapters of a promise-returning contract need not wait for anything.
      '@typescript-eslint/require-await': 'off',
      // A type parameter used once is how a caller names the type of what comes out of the database.
      '@typescript-eslint/no-unnecessary-type-parameters': 'off',
      '@typescript-eslint/non-nullable-type-assertion-style': 'off',
      '@typescript-eslint/no-generated-empty-object-type': 'off',
      '@typescript-eslint/no-unsafe-enum-assignment': 'off',
      '@typescript-eslint/only-throw-error': ['error', { allowThrowingUnknown: true }],
      // Rows, payloads and options are described by classes and written as object literals.
      '@typescript-eslint/no-unsafe-class-instance-assignment': 'off',
      '@typescript-eslint/no-misused-spread': 'off',
      '@typescript-eslint/no-empty-function': ['error', { allow: ['arrowFunctions', 'methods', 'asyncMethods'] }],
      // It takes a field that another method changes during an await for a constant.
      '@typescript-eslint/no-unnecessary-condition': 'off',
      // An empty string is often meant by `||`.
      '@typescript-eslint/prefer-nullish-coalescing': 'off',
      '@typescript-eslint/no-unused-vars': [
        'error',
        { argsIgnorePattern: '^_', varsIgnorePattern: '^_', ignoreRestSiblings: true },
      ],
    },
  },
  {
    files: ['src/**'],
    ignores: entryPoints,
    rules: {
      'no-console': 'error',
      'no-restricted-syntax': [
        'error',
        { selector: 'ExportAllDeclaration', message: 'No barrels: only entry points gather exports.' },
        {
          selector: 'ExportNamedDeclaration[source][exportKind="value"]',
          message: 'No barrels: only entry points gather exports.',
        },
      ],
    },
  },
  {
    // Tests reach into what they prove wrong, and assert on values of any shape.
    files: ['test/**', 'bench/**', 'src/testing/**'],
    rules: {
      '@typescript-eslint/no-non-null-assertion': 'off',
      '@typescript-eslint/no-unsafe-assignment': 'off',
      '@typescript-eslint/no-empty-function': 'off',
      '@typescript-eslint/no-extraneous-class': 'off',
      '@typescript-eslint/no-implied-eval': 'off',
      '@typescript-eslint/no-unnecessary-type-conversion': 'off',
      '@typescript-eslint/unbound-method': 'off',
    },
  },
  {
    files: ['test/**'],
    rules: {
      'no-restricted-syntax': [
        'error',
        {
          selector:
            'Program:has(Property[key.name="concurrent"][value.value=true]) ImportDeclaration[source.value="vitest"] > ImportSpecifier[imported.name="expect"]',
          message:
            'The global expect belongs to no test once another concurrent test has ended: take it from the context, `async ({ expect }) => …`.',
        },
      ],
    },
  },
  {
    // Processes that tests start: plain JavaScript against the built package.
    files: ['test/**/*.mjs'],
    ...tseslint.configs.disableTypeChecked,
  },
);
