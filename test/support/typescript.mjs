/** `node --import test/support/typescript.mjs file.ts`: runs a test's own process from its TypeScript, against the built package. */
import { installTypeScript } from '../../dist/cli/typescript-hooks.js';

installTypeScript();
