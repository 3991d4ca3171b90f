import type { Command } from 'commander';
import { describeTransaction, oldestTransaction } from '../../modules/projections/old-transaction.js';
import { bytes, count, plural } from '../format.js';
import type { AddCommands } from '../add-commands.js';
import { policyTable } from './policies.js';
import { projectionTable } from '../projections/look.js';
import { readProcesses, readServer } from '../server-facts.js';

/** `status`: the whole at one glance. */
export const addStatusCommand: AddCommands = (program, run) => {
  program
    .command('status')
    .description('database, log, running processes, projections and policies at one glance')
    .action((_: unknown, command: Command) =>
      run(command, async (context) => {
        const { database, migrator, log, operations, policies: policyOperations, place, embedded, file } = await context.open();
        const { out } = context;
        const [server, steps, topics, processes, projections, policies, oldTransaction] = await Promise.all([
          readServer(database),
          migrator.status(),
          log.listTopics(),
          readProcesses(database),
          operations.status(),
          policyOperations.status(),
          oldestTransaction(database),
        ]);
        const pending = steps.filter(({ appliedAt }) => appliedAt === null).length;
        const offsets = await Promise.all(topics.map(({ name }) => log.offsets(name)));
        const events = offsets.flat().reduce((sum, { begin, end }) => sum + end - begin, 0);
        const { schema, viewSchema } = database;
        out.answer(
          {
            configuration: file,
            database: {
              place,
              embedded,
              schema,
              viewSchema,
              version: server.version,
              bytes: server.bytes,
              pendingSteps: pending,
              oldTransaction,
            },
            log: { driver: log.driver, topics: topics.length, events },
            processes,
            projections,
            policies,
          },
          () =>
            [
              out.pairs([
                ['database', `${place}${embedded ? ' (embedded)' : ''}, PostgreSQL ${server.version}, ${bytes(server.bytes)}`],
                [
                  'schema',
                  `${schema}, views in ${viewSchema}${pending === 0 ? '' : out.color.yellow(`, ${plural(pending, 'step')} pending`)}`,
                ],
                ['log', `${log.driver}, ${plural(topics.length, 'topic')}, ${plural(events, 'event')}`],
                ['definitions', file ?? 'none loaded: no kappa.config.* in this folder'],
                [
                  'running',
                  processes.length === 0
                    ? 'no process'
                    : processes
                        .map(({ application, host, pid }) => `${application} (${host}, pid ${count(pid).replaceAll(',', '')})`)
                        .join(', '),
                ],
                ...(oldTransaction
                  ? [['open too long', out.color.yellow(describeTransaction(oldTransaction))] satisfies [string, string]]
                  : []),
              ]),
              '',
              projectionTable(projections, out),
              ...(policies.length === 0 ? [] : ['', policyTable(policies, out)]),
            ].join('\n'),
        );
        return 0;
      }),
    );
};
