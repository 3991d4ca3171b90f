import type { Command } from 'commander';
import { adoptRelayedLog } from '../relay/adopt-relayed-log.js';
import { restartTopic, showStatus, verifyTopics } from '../relay/relay-work.js';
import type { AddCommands } from '../add-commands.js';

/** `relay status|verify|adopt|restart`: what is copied from the database to Kafka. */
export const addRelayCommands: AddCommands = (program, run) => {
  const group = program.command('relay').description('what is copied from the database to Kafka');

  group
    .command('status')
    .alias('list')
    .alias('ls')
    .description('how far each partition is relayed')
    .action((_: unknown, command: Command) => run(command, showStatus));

  group
    .command('verify')
    .description('compare the rows of topics with what was relayed of them')
    .argument('[topics...]', 'default: all that are relayed')
    .option('--samples <n>', 'differences to show (default: 10)')
    .action((topics: readonly string[], flags: { readonly samples?: string }, command: Command) =>
      run(command, (context) => verifyTopics(context, topics, flags)),
    );

  group
    .command('adopt')
    .description('after a move to Kafka: compare, and let projections and policies go on where they stand')
    .action((_: unknown, command: Command) => run(command, adoptRelayedLog));

  group
    .command('restart')
    .description('relay a topic anew whose copy was lost; asks')
    .argument('<topic>')
    .option('--yes', 'do not ask')
    .action((topic: string, { yes }: { readonly yes?: boolean }, command: Command) =>
      run(command, (context) => restartTopic(context, topic, yes === true)),
    );
};
