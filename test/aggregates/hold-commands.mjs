/**
 * Executes commands on a real database, all at once, and holds their results over a sweep; another comes while all are under way.
 * As test/kernel/hold-events.mjs otherwise.
 */
import { built, Happen, thing } from '../support/held-things.mjs';

const { Database } = await built('database/database.js');
const { PostgresLog } = await built('log/postgres/postgres-log.js');
const { CommandExecutor } = await built('modules/aggregates/command-executor.js');

const [, , held, url] = process.argv;
const many = Number(held);
const database = new Database({ url });
const log = new PostgresLog(database);
await log.start();
const commands = new CommandExecutor({ database, log, inject: () => null, aggregates: [thing], freeze: false });
await commands.start();
// So many that the first command of a new stream is known to found one: nothing is loaded then.
for (let n = 0; n < 50; n += 1) await commands.execute(new Happen(`first-${n}`, JSON.parse('{"n":1}')));
const underWay = new Array(many);
for (let n = 0; n < many; n += 1) underWay[n] = commands.execute(new Happen(`thing-${n}`, JSON.parse('{"n":1}')));
globalThis.gc({ type: 'minor' });
const results = await Promise.all(underWay);
globalThis.gc({ type: 'minor' });
if (results.length !== many) throw new Error('nothing was held');
await commands.stop();
await log.stop();
await database.stop();
