import { Database } from '../../../src/database/database.js';
import { PostgresLog } from '../../../src/log/postgres/postgres-log.js';
import { KappaError, WrongExpectedVersionError } from '../../../src/kernel/errors.js';
import { CommandExecutor } from '../../../src/modules/aggregates/command-executor.js';
import { Add, counter, Name } from './counter.js';

/** What a writing process has done. */
export interface Written {
  /** Added by commands that succeeded, by stream. */
  readonly added: Readonly<Record<string, number>>;
  /** Names that its streams hold now. */
  readonly won: readonly string[];
  readonly failures: readonly string[];
}

const { URL: url = '', WRITER = '0', COMMANDS = '0', STREAMS = '1', NAMES = '0' } = process.env;

const database = new Database({ url, poolSize: 3 });
const log = new PostgresLog(database);
await log.start();
const commands = new CommandExecutor({
  database,
  log,
  aggregates: [counter],
  inject: () => {
    throw new Error('nothing is injected');
  },
});
await commands.start();

const added: Record<string, number> = {};
const won: string[] = [];
const failures: string[] = [];

async function add(number: number): Promise<void> {
  const id = `hot-${number % Number(STREAMS)}`;
  const idempotencyKey = `${WRITER}-${number}`;
  for (;;) {
    try {
      await commands.execute(new Add(id, number, 1 + (number % 2)), { idempotencyKey });
      added[id] = (added[id] ?? 0) + number * (1 + (number % 2));
      return;
    } catch (error) {
      // So many at one stream may lose ten times in a row: the caller tries again, as its users would.
      if (error instanceof WrongExpectedVersionError) continue;
      failures.push(String(error));
      return;
    }
  }
}

async function claim(number: number): Promise<void> {
  try {
    await commands.execute(new Name(`of-${WRITER}-${number}`, `name-${number}`));
    won.push(`name-${number}`);
  } catch (error) {
    if (!(error instanceof KappaError && error.code === 'KAPPA_VALUE_TAKEN')) failures.push(String(error));
  }
}

process.once('message', () => {
  const work = [
    ...Array.from({ length: Number(COMMANDS) }, (_, n) => add(n)),
    ...Array.from({ length: Number(NAMES) }, (_, n) => claim(n)),
  ];
  void Promise.all(work).then(() => process.send?.({ added, won, failures } satisfies Written));
});
process.once('SIGTERM', () => process.exit(0));
process.send?.('ready');
