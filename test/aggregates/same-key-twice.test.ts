import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Statement } from '../../src/database/database.js';
import { CommandExecutor } from '../../src/modules/aggregates/command-executor.js';
import { Add, counter, Take } from './support/counter.js';
import { WriteSide } from './support/write-side.js';

let side: WriteSide;

beforeAll(async () => {
  side = await WriteSide.start();
});
afterAll(() => side.stop());

it('answers as its twin did, where the twin comes between a conflict and the next load', async () => {
  const { commands, database } = await side.writer();
  const other = await side.executor();
  await other.execute(new Add('twin', 5));
  const twin = () => other.execute(new Take('twin', 5), { idempotencyKey: 'k' });

  let loads = 0;
  const query = database.query.bind(database);
  database.query = async <Row extends object>(statement: string | Statement, values?: readonly unknown[]) => {
    loads += 1;
    if (loads === 2) await twin();
    const answer = await query<Row>(statement, values);
    if (loads === 1) await other.execute(new Add('twin', 0));
    return answer;
  };

  const result = await commands.execute(new Take('twin', 5), { idempotencyKey: 'k' });
  expect(result).toEqual(await twin());
  expect(result.version).toBe(3);
});

it('waits for a start that is under way', async () => {
  const { database, log } = await side.writer();
  const commands = new CommandExecutor({
    database,
    log,
    aggregates: [counter],
    inject: () => {
      throw new Error('nothing is injected');
    },
  });
  const started = commands.start();
  expect((await commands.execute(new Add('early', 1))).version).toBe(1);
  await started;
  await commands.stop();
});
