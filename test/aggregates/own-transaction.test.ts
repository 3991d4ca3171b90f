import 'reflect-metadata';
import pg from 'pg';
import { DataSource } from 'typeorm';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { RetriableError, WrongExpectedVersionError } from '../../src/kernel/errors.js';
import type { CommandExecutor } from '../../src/modules/aggregates/command-executor.js';
import type { OwnTransaction } from '../../src/modules/aggregates/command.js';
import { idIn } from './support/append-requests.js';
import { Add, Name, RaiseTo, Take } from './support/counter.js';
import { collect, WriteSide } from './support/write-side.js';

let side: WriteSide;
let commands: CommandExecutor;

beforeAll(async () => {
  side = await WriteSide.start();
  commands = await side.executor();
  await side.database.query('create table public.orders (id text primary key)');
});
afterAll(() => side.stop());

/** A connection of the application, as it has it: none of our settings, none of our schemas in front. */
interface Own {
  readonly transaction: OwnTransaction;
  begin(isolation?: 'REPEATABLE READ'): Promise<unknown>;
  commit(): Promise<unknown>;
  rollback(): Promise<unknown>;
  close(): Promise<void>;
}

async function ownPg(): Promise<Own> {
  const client = new pg.Client({ connectionString: side.url });
  client.on('error', () => undefined);
  await client.connect();
  return {
    transaction: client,
    begin: (isolation) => client.query(isolation ? `begin isolation level ${isolation}` : 'begin'),
    commit: () => client.query('commit'),
    rollback: () => client.query('rollback'),
    close: () => client.end(),
  };
}

async function ownTypeOrm(form: 'manager' | 'runner'): Promise<Own> {
  const source = await new DataSource({ type: 'postgres', url: side.url, poolSize: 2 }).initialize();
  const runner = source.createQueryRunner();
  await runner.connect();
  return {
    transaction: form === 'manager' ? runner.manager : runner,
    begin: (isolation) => runner.startTransaction(isolation),
    commit: () => runner.commitTransaction(),
    rollback: () => runner.rollbackTransaction(),
    close: async () => {
      await runner.release();
      await source.destroy();
    },
  };
}

describe.each([
  ['a pg client', ownPg],
  ["TypeORM's EntityManager", () => ownTypeOrm('manager')],
  ["TypeORM's QueryRunner", () => ownTypeOrm('runner')],
])('in the transaction of %s, a command', (name, open) => {
  let own: Own;
  const id = (text: string): string => `${name.replaceAll(/\W/g, '-')}-${text}`;

  beforeEach(async () => {
    own = await open();
  });
  afterEach(() => own.close());

  it('takes effect with its COMMIT, together with what else was written', async () => {
    await commands.execute(new Add(id('commit'), 1));
    await own.begin();
    await own.transaction.query('insert into public.orders values ($1)', [id('order')]);
    const result = await commands.execute(new Add(id('commit'), 5, 2), { transaction: own.transaction, idempotencyKey: 'k' });
    expect(result).toMatchObject({
      version: 3,
      events: [{ data: { n: 5 }, stream: { version: 2 } }, { stream: { version: 3 } }],
    });
    expect(await collect(commands.readStream('counter', id('commit')))).toHaveLength(1);
    await own.commit();
    expect(await collect(commands.readStream('counter', id('commit')))).toHaveLength(3);
    expect((await commands.execute(new RaiseTo(id('commit'), 12))).events).toMatchObject([{ data: { n: 1 } }]);
    expect(await commands.execute(new Add(id('commit'), 5, 2), { idempotencyKey: 'k' })).toEqual(result);
  });

  it('leaves nothing behind after a ROLLBACK, not even in memory', async () => {
    await own.begin();
    await own.transaction.query('insert into public.orders values ($1)', [id('rolled-back')]);
    await commands.execute(new Add(id('rollback'), 5), { transaction: own.transaction, idempotencyKey: 'k' });
    await commands.execute(new Name(id('rollback'), id('name')), { transaction: own.transaction });
    await commands.execute(new Add(id('phantom'), 5), { transaction: own.transaction });
    await own.rollback();
    // Another process brings the stream to the very version that never came about: only the states differ.
    await (await side.executor()).execute(new Add(id('phantom'), 1));
    await expect(commands.execute(new Take(id('phantom'), 3))).rejects.toMatchObject({ code: 'counter.too-low' });
    await expect(commands.execute(new Take(id('rollback'), 1))).rejects.toMatchObject({ code: 'counter.too-low' });
    expect((await commands.execute(new Add(id('rollback'), 2), { idempotencyKey: 'k' })).version).toBe(1);
    await commands.execute(new Name(id('another'), id('name')));
    const { rowCount } = await side.database.query('select 1 from public.orders where id = $1', [id('rolled-back')]);
    expect(rowCount).toBe(0);
    expect(await side.contradictions()).toEqual([]);
  });

  it('sees what an earlier command of the same transaction did', async () => {
    await own.begin();
    await commands.execute(new Add(id('several'), 5), { transaction: own.transaction });
    await commands.execute(new Take(id('several'), 5), { transaction: own.transaction });
    await expect(commands.execute(new Take(id('several'), 1), { transaction: own.transaction })).rejects.toMatchObject({
      code: 'counter.too-low',
    });
    await own.commit();
    expect((await side.sums())[`/counter/${id('several')}`]).toBe(0);
  });

  it('is refused without harm to the transaction: a conflict, a refusal, a taken value', async () => {
    await commands.execute(new Name(id('holder'), id('taken')));
    await own.begin();
    await expect(
      commands.execute(new Add(id('harm'), 1), { transaction: own.transaction, expectedVersion: 7 }),
    ).rejects.toBeInstanceOf(WrongExpectedVersionError);
    await expect(commands.execute(new Name(id('harm'), id('taken')), { transaction: own.transaction })).rejects.toMatchObject({
      code: 'KAPPA_VALUE_TAKEN',
    });
    expect((await commands.execute(new Add(id('harm'), 1), { transaction: own.transaction })).version).toBe(1);
    await own.commit();
    expect((await side.sums())[`/counter/${id('harm')}`]).toBe(1);
  });

  it('is refused where there is no transaction, or one that does not see what is committed', async () => {
    await expect(commands.execute(new Add(id('none'), 1), { transaction: own.transaction })).rejects.toMatchObject({
      code: 'KAPPA_NO_TRANSACTION',
    });
    await own.begin('REPEATABLE READ');
    await expect(commands.execute(new Add(id('none'), 1), { transaction: own.transaction })).rejects.toMatchObject({
      code: 'KAPPA_NOT_READ_COMMITTED',
    });
    await own.rollback();
    expect(await collect(commands.readStream('counter', id('none')))).toEqual([]);
  });
});

it('waits for a held partition no longer than our own connections do', async () => {
  const holder = await side.database.connect();
  await holder.query('begin');
  await holder.query(`select lock_partitions(array[id], array[4]) from topics where name = 'counters'`);
  const own = await ownPg();
  await own.begin();
  const refused = await commands
    .execute(new Add(idIn(4, 'held'), 1), { transaction: own.transaction })
    .catch((error: unknown) => error);
  expect(refused).toBeInstanceOf(RetriableError);
  await own.rollback();
  const { rows } = (await own.transaction.query('show lock_timeout')) as { rows: { lock_timeout: string }[] };
  expect(rows[0]?.lock_timeout).toBe('0');
  await own.close();
  await holder.query('rollback');
  holder.release();
});

it('does not wait for a command of the same stream that waits for its transaction', async () => {
  const id = 'crosswise';
  await commands.execute(new Add(id, 1));
  const own = await ownPg();
  await own.begin();
  await commands.execute(new Add(id, 10), { transaction: own.transaction });
  const outside = commands.execute(new Add(id, 100));
  await commands.execute(new Add(id, 1_000), { transaction: own.transaction });
  await own.commit();
  expect((await outside).version).toBe(4);
  expect((await side.sums())[`/counter/${id}`]).toBe(1_111);
  await own.close();
});
