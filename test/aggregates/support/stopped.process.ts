import pg from 'pg';
import { Database } from '../../../src/database/database.js';
import { PostgresLog } from '../../../src/log/postgres/postgres-log.js';
import { CommandExecutor } from '../../../src/modules/aggregates/command-executor.js';
import { Add, counter } from './counter.js';

/** Appends inside a transaction of its own and says so; commits when it is told to, and says what came of it. */
const { URL: url = '', STREAM = '' } = process.env;
const database = new Database({ url });
const commands = new CommandExecutor({
  database,
  log: new PostgresLog(database),
  aggregates: [counter],
  inject: () => {
    throw new Error('nothing is injected');
  },
});
await commands.start();
const client = new pg.Client({ connectionString: url });
client.on('error', () => undefined);
await client.connect();
await client.query('begin');
await commands.execute(new Add(STREAM, 1_000), { transaction: client });
process.once('message', () => {
  void client
    .query('commit')
    .then(({ command }) => command)
    .catch((error: unknown) => String(error))
    .then((answer) => process.send?.(answer));
});
process.once('SIGTERM', () => process.exit(0));
process.send?.('ready');
