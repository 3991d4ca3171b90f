import { afterAll, beforeAll, expect, it } from 'vitest';
import { aggregate } from '../../src/modules/aggregates/aggregate.js';
import { Add, Added, Named, counters } from './support/counter.js';
import { WriteSide } from './support/write-side.js';

let side: WriteSide;

beforeAll(async () => {
  side = await WriteSide.start();
});
afterAll(() => side.stop());

const plain = aggregate({ name: 'plain', topic: counters, id: 'counterId', initialState: () => 0, snapshots: false })
  .evolve({ 'counter.added': (sum, { data }) => sum + data.n, 'counter.named': (sum) => sum })
  .decide(Add, ({ n, times }) => [...Array.from({ length: times }, () => Added({ n })), Named({ name: null })]);

it('only inserts: an open snapshot of somebody else leaves no dead rows behind a hot stream', async () => {
  const foreign = await side.database.connect();
  await foreign.query('begin isolation level repeatable read');
  await foreign.query('set local idle_in_transaction_session_timeout = 0');
  await foreign.query('select count(*) from log_records');

  const { commands, database } = await side.writer({ aggregates: [plain] });
  for (let n = 0; n < 100; n += 1) await commands.execute(new Add('hot', n));
  await Promise.all(Array.from({ length: 100 }, (_, n) => commands.execute(new Add(`other-${n}`, n))));
  await commands.stop();
  // A connection reports what it has done when it ends.
  await database.stop();

  const { rows } = await side.database.query<{ relname: string; n_tup_ins: number }>(
    `select relname, n_tup_ins from pg_stat_user_tables where schemaname = 'kappa' and relname in ('log_records', 'commands')
     and n_tup_ins > 0`,
  );
  expect(Object.fromEntries(rows.map(({ relname, n_tup_ins }) => [relname, n_tup_ins]))).toEqual({
    log_records: 400,
    commands: 200,
  });
  const changed = await side.database.query(
    `select relname from pg_stat_user_tables where schemaname = 'kappa' and n_tup_upd + n_tup_del + n_dead_tup > 0 and relname <> 'log_identity'`,
  );
  expect(changed.rows).toEqual([]);
  await foreign.query('rollback');
  foreign.release();
});
