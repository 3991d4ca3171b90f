import type { Command } from 'commander';
import { listGroups, showGroup } from '../groups/look-at-groups.js';
import { seekGroup, type SeekOptions } from '../groups/seek-group.js';
import type { AddCommands } from '../add-commands.js';

/** `groups list|show|seek`: who reads the log, and how far each is. */
export const addGroupCommands: AddCommands = (program, run) => {
  const group = program.command('groups').alias('group').description('the consumer groups of the log');

  group
    .command('list')
    .alias('ls')
    .description('all groups, with what they read and how far behind they are')
    .action((_: unknown, command: Command) => run(command, listGroups));

  group
    .command('show')
    .alias('describe')
    .description('one group, partition by partition')
    .argument('<group>')
    .action((name: string, _: unknown, command: Command) => run(command, (context) => showGroup(context, name)));

  group
    .command('seek')
    .description('let an idle group go on elsewhere in a topic; asks')
    .argument('<group>')
    .argument('<topic>')
    .option('--to-offset <n>', 'a log offset, as events read shows it')
    .option('--to-time <time>', 'the first record appended at or after this time (ISO 8601)')
    .option('--to-begin', 'all that is there')
    .option('--to-end', 'only what comes from now on')
    .option('--partition <n>', 'only this partition (default: all)')
    .option('--yes', 'do not ask')
    .action((name: string, topic: string, options: SeekOptions, command: Command) =>
      run(command, (context) => seekGroup(context, name, topic, options)),
    );
};
