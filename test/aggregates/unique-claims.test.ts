import pg from 'pg';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { CommandExecutor } from '../../src/modules/aggregates/command-executor.js';
import { idIn } from './support/append-requests.js';
import { Name } from './support/counter.js';
import { WriteSide } from './support/write-side.js';

let side: WriteSide;
let commands: CommandExecutor;

beforeAll(async () => {
  side = await WriteSide.start();
  commands = await side.executor();
});
afterAll(() => side.stop());

async function untilOneWaits(): Promise<void> {
  for (let waiting = 0; waiting === 0;) {
    const { rows } = await side.database.query<{ waiting: number }>(
      `select count(*) as waiting from pg_locks l join pg_database d on d.oid = l.database
       where d.datname = current_database() and not l.granted`,
    );
    waiting = rows[0]?.waiting ?? 0;
  }
}

it.each([
  ['commit', 'taken'],
  ['rollback', 'free'],
])('waits for whoever is claiming the same value in another partition: after its %s the value is %s', async (end, then) => {
  const [one, other] = [idIn(1, end), idIn(2, end)];
  const client = new pg.Client({ connectionString: side.url });
  await client.connect();
  await client.query('begin');
  await commands.execute(new Name(one, `contested-${end}`), { transaction: client });
  const second = commands.execute(new Name(other, `contested-${end}`)).then(
    () => 'free',
    (error: unknown) => (error as { code: string }).code,
  );
  await Promise.race([untilOneWaits(), second]);
  await client.query(end);
  await client.end();
  expect(await second).toBe(then === 'taken' ? 'KAPPA_VALUE_TAKEN' : 'free');
});

it('gives a value to one of many that claim it at once', async () => {
  const executors = await Promise.all([side.executor(), side.executor(), side.executor()]);
  for (let round = 0; round < 10; round += 1) {
    const settled = await Promise.allSettled(
      executors.flatMap((executor, process) =>
        Array.from({ length: 4 }, (_, n) => executor.execute(new Name(`many-${round}-${process}-${n}`, `one-of-${round}`))),
      ),
    );
    expect(settled.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    for (const one of settled) if (one.status === 'rejected') expect(one.reason).toMatchObject({ code: 'KAPPA_VALUE_TAKEN' });
  }
});

it('lets go of a value that is changed or given up, and of none that is kept', async () => {
  await commands.execute(new Name('owner', 'first'));
  await expect(commands.execute(new Name('wants', 'first'))).rejects.toMatchObject({
    code: 'KAPPA_VALUE_TAKEN',
    facts: { name: 'counter.name', value: 'first' },
  });
  await commands.execute(new Name('owner', 'first'));
  await expect(commands.execute(new Name('wants', 'first'))).rejects.toMatchObject({ code: 'KAPPA_VALUE_TAKEN' });
  await commands.execute(new Name('owner', 'second'));
  await commands.execute(new Name('wants', 'first'));
  await commands.execute(new Name('wants', null));
  await commands.execute(new Name('third', 'first'));
});
