import type { Command } from 'commander';
import { listDeadLetters, showDeadLetter, type ListFlags } from '../dead-letters/look.js';
import { discardDeadLetters, retryDeadLetters, type DiscardFlags, type RetryFlags } from '../dead-letters/settle.js';
import type { AddCommands } from '../add-commands.js';

/** `dead-letters …`: events that could not be taken in. */
export const addDeadLetterCommands: AddCommands = (program, run) => {
  const group = program
    .command('dead-letters')
    .alias('dead-letter')
    .description('events that could not be taken in, and those of their keys that wait behind them');

  group
    .command('list')
    .alias('ls')
    .description('what is set aside, and why')
    .argument('[name]', 'a projection')
    .option('--followers', 'also those that wait behind a letter')
    .option('--settled', 'also what was applied or discarded')
    .option('--after <id>', 'those after this one: the next page')
    .option('--limit <n>', 'letters at most (default: 100)')
    .action((name: string | undefined, flags: ListFlags, self: Command) =>
      run(self, (context) => listDeadLetters(context, name, flags)),
    );

  group
    .command('show')
    .description('one of them: reason, stack, and the event itself')
    .argument('<id>')
    .action((id: string, _: unknown, self: Command) => run(self, (context) => showDeadLetter(context, id)));

  group
    .command('retry')
    .description('try them again, each with what waits behind it, in order')
    .argument('[ids...]')
    .option('--projection <name>', 'all of this projection')
    .option('--all', 'all there are')
    .option('--no-wait', 'return as soon as it is asked for; whoever runs the projection carries it out')
    .action((ids: readonly string[], flags: RetryFlags, self: Command) =>
      run(self, (context) => retryDeadLetters(context, ids, flags)),
    );

  group
    .command('discard')
    .description('leave them out for good; what waits behind them goes on, and later builds skip them too')
    .argument('<ids...>')
    .requiredOption('--reason <text>', 'why; kept with the letter')
    .option('--yes', 'do not ask')
    .option('--no-wait', 'return as soon as it is asked for; whoever runs the projection carries it out')
    .action((ids: readonly string[], flags: DiscardFlags, self: Command) =>
      run(self, (context) => discardDeadLetters(context, ids, flags)),
    );
};
