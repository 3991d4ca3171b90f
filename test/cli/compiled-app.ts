import path from 'node:path';
import { transpileApp, type Change } from '../support/transpile-app.js';
import { appFolder } from './run-command.js';

let made = 0;

/** The fixture compiled, changed where asked. Loading it takes a third of the time that compiling it in the command takes, which has its own tests. */
export async function compiledApp(change?: Change): Promise<string> {
  const output = path.join(appFolder, 'dist', `${process.pid}-${(made += 1)}`);
  await transpileApp(appFolder, output, change);
  return output;
}
