import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import swc from 'unplugin-swc';
import { configDefaults, defineConfig } from 'vitest/config';
import { foldersOfOthers, suites } from './scripts/suites.mjs';

const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url));
const globalSetup = here('test/support/global-setup.ts');

/** Each suite is a project with a place in the order: suites run one after another, so that the time of each can be told. */
export default defineConfig({
  // Vite's own compiler knows no `emitDecoratorMetadata`, without which Nest cannot inject by type.
  plugins: [
    swc.vite({
      tsconfigFile: false,
      swcrc: false,
      jsc: {
        target: 'es2022',
        keepClassNames: true,
        parser: { syntax: 'typescript', decorators: true },
        transform: { legacyDecorator: true, decoratorMetadata: true },
      },
    }),
  ],
  resolve: {
    alias: [
      { find: /^nest-kappa$/, replacement: here('src/index.ts') },
      { find: /^nest-kappa\/kafka$/, replacement: here('src/log/kafka/index.ts') },
      { find: /^nest-kappa\/testing$/, replacement: here('src/testing/index.ts') },
    ],
  },
  test: {
    globalSetup: existsSync(globalSetup) ? [globalSetup] : [],
    projects: suites.map(({ name, folders, workers, shares = false }, index) => ({
      extends: true,
      test: {
        name,
        include: folders.map((folder) => `test/${folder}/**/*.test.ts`),
        exclude: [...configDefaults.exclude, ...folders.flatMap(foldersOfOthers).map((folder) => `test/${folder}/**`)],
        testTimeout: 30_000,
        hookTimeout: 60_000,
        maxWorkers: workers,
        isolate: !shares,
        // What was built is loaded by Node, as a user's process loads it: one copy of the package for it and for what it loads.
        server: { deps: { external: [/\/dist\/.*\.js$/] } },
        sequence: { groupOrder: index },
      },
    })),
  },
});
