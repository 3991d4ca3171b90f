import { fileURLToPath } from 'node:url';
import { transpileApp, type Change } from '../support/transpile-app.js';
import { appFolder } from './run-command.js';

let made = 0;

/** The fixture compiled, changed where asked. Loading it takes a third of the time that compiling it in the command takes, which has its own tests. */
export async function compiledApp(change?: Change): Promise<string> {
  // Beside the fixture, which other tests copy as a whole.
  const output = fileURLToPath(new URL(`dist/${process.pid}-${(made += 1)}`, import.meta.url));
  await transpileApp(appFolder, output, change);
  return output;
}
