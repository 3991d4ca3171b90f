import type { Command } from 'commander';
import { plural } from '../format.js';
import type { AddCommands } from '../program.js';

/** `database migrate|status|sql`: the schema of nest-kappa itself. */
export const addDatabaseCommands: AddCommands = (program, run) => {
  const group = program.command('database').alias('db').description('the tables of nest-kappa in PostgreSQL');

  group
    .command('migrate')
    .description('apply the missing steps')
    .action((_: unknown, command: Command) =>
      run(command, async (context) => {
        const { migrator, place, database } = await context.open({ create: true, log: false });
        const { out } = context;
        const applied = await migrator.migrate();
        out.answer({ database: place, schema: database.schema, applied }, () =>
          applied.length === 0
            ? `Schema ${database.schema} in ${place} is up to date.`
            : `${plural(applied.length, 'step')} applied to schema ${database.schema} in ${place}:\n${applied.map((id) => `  ${id}`).join('\n')}`,
        );
        return 0;
      }),
    );

  group
    .command('status')
    .alias('list')
    .alias('ls')
    .description('which steps are applied')
    .action((_: unknown, command: Command) =>
      run(command, async (context) => {
        const { migrator, place, database } = await context.open({ anySchema: true, log: false });
        const { out } = context;
        const steps = await migrator.status();
        const pending = steps.filter(({ appliedAt }) => appliedAt === null).length;
        out.answer({ database: place, schema: database.schema, pending, steps }, () =>
          [
            out.table(
              ['step', 'applied'],
              steps.map(({ id, appliedAt }) => [id, appliedAt ?? out.color.yellow('pending')]),
            ),
            '',
            pending === 0
              ? `Schema ${database.schema} in ${place} is up to date.`
              : `${plural(pending, 'step')} pending in ${place}. Run \`npx nest-kappa database migrate\`.`,
          ].join('\n'),
        );
        return 0;
      }),
    );

  group
    .command('sql')
    .description('print the whole DDL for a database administrator; running it again applies only what is missing')
    .action((_: unknown, command: Command) =>
      run(command, async (context) => {
        const { schema, viewSchema } = (await context.options()).database;
        const { schemaSql } = await import('../schema-sql.js');
        const sql = schemaSql(schema, viewSchema);
        const { out } = context;
        if (out.json) out.answer({ schema, viewSchema, sql }, () => sql);
        else out.raw(sql);
        return 0;
      }),
    );
};
