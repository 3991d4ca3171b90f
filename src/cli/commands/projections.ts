import type { Command } from 'commander';
import { acceptProjections, dropBuilds, retireBuilds } from '../projections/end-builds.js';
import { listProjections, showPlan, showStatus } from '../projections/look.js';
import { rebuildProjections, type RebuildFlags } from '../projections/rebuild.js';
import {
  rollBack,
  swapProjections,
  verifyProjections,
  type RollbackFlags,
  type SwapFlags,
  type VerifyFlags,
} from '../projections/swap.js';
import type { AddCommands, Work } from '../add-commands.js';

interface EndFlags {
  readonly build?: string;
  readonly yes?: boolean;
}

/** `projections …`: the life of builds, from the first look to the drop. */
export const addProjectionCommands: AddCommands = (program, run) => {
  const group = program.command('projections').alias('projection').description('the tables that are made from the log');
  const add = <Flags>(command: Command, work: (names: readonly string[], flags: Flags) => Work): void => {
    command.action((names: readonly string[], flags: Flags, self: Command) => run(self, work(names, flags)));
  };

  add(
    group.command('list').alias('ls').description('projections, what is live and what is going on').argument('[names...]'),
    (names) => (context) => listProjections(context, names),
  );

  add(
    group.command('status').description('every build: state, how far behind, size, errors').argument('[names...]'),
    (names) => (context) => showStatus(context, names),
  );

  add<{ readonly check?: boolean }>(
    group
      .command('plan')
      .description('what would have to be done, with estimates and dependants')
      .argument('[names...]')
      .option('--check', 'exit with 3 when changes are pending; refuses changed code that was not accepted'),
    (names, { check }) =>
      (context) =>
        showPlan(context, names, check === true),
  );

  add<RebuildFlags>(
    group
      .command('rebuild')
      .description('build anew beside what is read; waits to the end and resumes what was interrupted')
      .argument('[names...]', 'fines (its newest version) or fines@2')
      .option('--all', 'all projections of the loaded definitions')
      .option('--swap', 'show the new builds to readers as soon as they have caught up')
      .option('--group', 'with --swap: all in one transaction')
      .option('--from-retained', 'accept a log whose begin is gone')
      .option('--max-rate <n>', 'events a second at most')
      .option('--no-wait', 'make the builds and return at once; running processes that have their code carry them out'),
    (names, flags) => (context) => rebuildProjections(context, names, flags),
  );

  add<VerifyFlags>(
    group
      .command('verify')
      .description('compare the newest build with the live one, at one position')
      .argument('<names...>')
      .option('--build <id>', 'another build (its id in status)')
      .option('--samples <n>', 'differing rows to show (default: 5)'),
    (names, flags) => (context) => verifyProjections(context, names, flags),
  );

  add<SwapFlags>(
    group
      .command('swap')
      .description('show readers the newest ready build; several names swap in one transaction')
      .argument('<names...>')
      .option('--version <n>', 'the newest ready build of this version')
      .option('--build <id>', 'this build (its id in status)')
      .option('--verify', 'compare first, and refuse when rows differ')
      .option('--with-dead-letters', 'also to a build with more dead letters than the live one'),
    (names, flags) => (context) => swapProjections(context, names, flags),
  );

  add<RollbackFlags>(
    group
      .command('rollback')
      .description('show readers the newest standby build again')
      .argument('<names...>')
      .option('--build <id>', 'this build (its id in status)')
      .option('--stale', 'also to a build that is behind or that nobody moves on'),
    (names, flags) => (context) => rollBack(context, names, flags),
  );

  add<EndFlags>(
    group
      .command('retire')
      .description('end standby builds: they project no longer and cannot be rolled back to')
      .argument('<names...>')
      .option('--build <id>', 'only this build (its id in status)')
      .option('--yes', 'do not ask'),
    (names, { build, yes }) =>
      (context) =>
        retireBuilds(context, names, build, yes === true),
  );

  add<EndFlags>(
    group
      .command('drop')
      .description('drop the tables of builds that are retired, aborted or failed')
      .argument('<names...>')
      .option('--build <id>', 'only this build (its id in status)')
      .option('--yes', 'do not ask'),
    (names, { build, yes }) =>
      (context) =>
        dropBuilds(context, names, build, yes === true),
  );

  add<{ readonly version?: string }>(
    group
      .command('accept')
      .description('record that changed code means the same, so that no rebuild is asked for')
      .argument('<names...>')
      .option('--version <n>', 'of this version (default: the live one)'),
    (names, { version }) =>
      (context) =>
        acceptProjections(context, names, version),
  );
};
