import { readFileSync } from 'node:fs';
import { Command } from 'commander';
import type { AddCommands, RunWork } from './add-commands.js';
import type { GlobalFlags } from './command-context.js';
import { addDatabaseCommands } from './commands/database.js';
import { addDeadLetterCommands } from './commands/dead-letters.js';
import { addEventCommands } from './commands/events.js';
import { addGroupCommands } from './commands/groups.js';
import { addPolicyCommands } from './commands/policies.js';
import { addProjectionCommands } from './commands/projections.js';
import { addRelayCommands } from './commands/relay.js';
import { addStatusCommand } from './commands/status.js';
import { addStreamCommands } from './commands/streams.js';
import { addTopicCommands } from './commands/topics.js';
import type { Output } from './output.js';

const GROUPS: readonly AddCommands[] = [
  addStatusCommand,
  addTopicCommands,
  addStreamCommands,
  addEventCommands,
  addGroupCommands,
  addProjectionCommands,
  addPolicyCommands,
  addDeadLetterCommands,
  addRelayCommands,
  addDatabaseCommands,
];

/** The command line: what there is to say, its help and its complaints. */
export function createProgram(out: Output, runWork: RunWork): Command {
  const program = new Command('npx nest-kappa')
    .description(
      'Looks after the log and the projections of a nest-kappa application. Starts none of its providers, engines or servers.',
    )
    .version(versionOfPackage(), '-V', 'print the version (also --version)')
    .option('--config <path>', 'options and definitions (default: kappa.config.ts, .mts, .js, .mjs or .cjs in this folder)')
    .option('--app <file>', 'take them from the Nest module in this file instead')
    .option('--database <url>', 'postgres://… instead of what the configuration or DATABASE_URL says')
    .option('--schema <name>', 'schema of the tables of nest-kappa (default: kappa)')
    .option('--json', 'print one JSON document; long work prints one object a line, the last with "done": true')
    .option('--no-color', 'no colours (also NO_COLOR)')
    .option('--debug', 'show stacks of errors')
    .configureHelp({ showGlobalOptions: true })
    .showHelpAfterError('(--help shows what there is)')
    .addHelpText('after', EXAMPLES);
  program.configureOutput({ writeOut: (text) => out.raw(text), writeErr: (text) => out.note(text.trimEnd()) }).exitOverride();
  for (const add of GROUPS) add(program, (command, work) => runWork(command.optsWithGlobals<GlobalFlags>(), work));
  return program;
}

function versionOfPackage(): string {
  return (JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as { version: string }).version;
}

const EXAMPLES = `
Examples:
  npx nest-kappa status
  npx nest-kappa events tail fines
  npx nest-kappa projections plan
  npx nest-kappa projections rebuild fines --swap

Exit code: 0 done, 1 failure, 2 wrong usage, 3 pending changes (projections plan --check).`;
