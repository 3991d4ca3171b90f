import 'reflect-metadata';
import { Column, Entity, PrimaryColumn } from 'typeorm';
import { describe, expect, it, vi } from 'vitest';
import { event, projection, topic, type } from 'nest-kappa';
import { RetriableError } from '../../src/kernel/errors.js';
import { SharedReads } from '../../src/modules/serving/shared-reads.js';
import { liveTables } from './live-table.js';

const Sold = event('product.sold', type<object>());
const sales = topic('sales', { partitions: 2, events: [Sold] });

@Entity({ synchronize: false })
class SaleRow {
  @PrimaryColumn('text') product!: string;
  @PrimaryColumn('timestamptz') at!: Date;
  @PrimaryColumn('bigint') till!: bigint;
  @Column('int') count!: number;
}
const Sales = projection({ name: 'sales', version: 1, from: [sales], table: SaleRow });

@Entity({ synchronize: false })
class KeysRow {
  @PrimaryColumn('uuid') id!: string;
  @PrimaryColumn('numeric', { precision: 8, scale: 2 }) amount!: string;
  @PrimaryColumn('date') day!: string;
  @PrimaryColumn('boolean') open!: boolean;
  @PrimaryColumn('int') whole!: number;
  @PrimaryColumn('varchar', { length: 3 }) code!: string;
  @PrimaryColumn('smallint') small!: number;
  @PrimaryColumn('timestamp') local!: string;
  @PrimaryColumn('bigint') digits!: string;
}
const Keys = projection({ name: 'keys', version: 1, from: [sales], table: KeysRow });

@Entity({ synchronize: false })
class TotalRow {
  @PrimaryColumn('text') id!: string;
  @Column('bigint') sold!: bigint;
}
const Totals = projection({ name: 'totals', version: 1, from: [sales], table: TotalRow });

/** A statement that the test answers. */
interface Sent {
  readonly keys: readonly string[];
  answer(): void;
  fail(error: Error): void;
}

function watched(): { readonly reads: SharedReads<string, string>; readonly sent: Sent[] } {
  const sent: Sent[] = [];
  const reads = new SharedReads<string, string>(
    (keys) =>
      new Promise((resolve, reject) =>
        sent.push({ keys, answer: () => resolve(keys.map((key) => `row ${key}`)), fail: reject }),
      ),
  );
  return { reads, sent };
}

const keysOf = (sent: readonly Sent[]): readonly (readonly string[])[] => sent.map(({ keys }) => keys);

describe('reads that share a statement', () => {
  it('are those that come while two are under way, and none is answered by a statement sent before it', async () => {
    const { reads, sent } = watched();
    const answers = ['a', 'b', 'c', 'd'].map((key) => reads.read(key));
    expect(keysOf(sent)).toEqual([['a'], ['b']]);
    sent[0]?.answer();
    expect(await answers[0]).toBe('row a');
    await expect.poll(() => keysOf(sent)).toEqual([['a'], ['b'], ['c', 'd']]);
    sent[1]?.answer();
    sent[2]?.answer();
    expect(await Promise.all(answers)).toEqual(['row a', 'row b', 'row c', 'row d']);
    void reads.read('e');
    expect(keysOf(sent).at(-1)).toEqual(['e']);
  });

  it('do not wait for those that are slow, however many, and are not too many', () => {
    vi.useFakeTimers();
    const { reads, sent } = watched();
    const keys = Array.from({ length: 50 }, (_, n) => String(n));
    for (const key of keys) void reads.read(key);
    expect(keysOf(sent)).toEqual([['0'], ['1']]);
    vi.advanceTimersByTime(2);
    expect(keysOf(sent).slice(2)).toEqual([keys.slice(2, 18), keys.slice(18, 34), keys.slice(34)]);
    vi.useRealTimers();
  });

  it('are asked one by one when the server refuses a key', async () => {
    const { reads, sent } = watched();
    const answers = Promise.allSettled(['a', 'b', 'c', 'd'].map((key) => reads.read(key)));
    sent[0]?.answer();
    sent[1]?.answer();
    await expect.poll(() => sent.length).toBe(3);
    sent[2]?.fail(Object.assign(new Error('out of range'), { code: '22003' }));
    await expect.poll(() => keysOf(sent).slice(3)).toEqual([['c'], ['d']]);
    sent[3]?.fail(Object.assign(new Error('out of range'), { code: '22003' }));
    sent[4]?.answer();
    expect((await answers).map(({ status }) => status)).toEqual(['fulfilled', 'fulfilled', 'rejected', 'fulfilled']);
  });

  it.each([
    ['a row out of time', new RetriableError('not in time', { cause: Object.assign(new Error('timeout'), { code: '57014' }) })],
    ['a damaged page', Object.assign(new Error('invalid page'), { code: 'XX001' })],
    ['a function that raises', Object.assign(new Error('not this one'), { code: 'P0001' })],
  ])('are asked one by one after %s', async (_, error) => {
    const { reads, sent } = watched();
    const answers = Promise.allSettled(['a', 'b', 'c', 'd'].map((key) => reads.read(key)));
    sent[0]?.answer();
    sent[1]?.answer();
    await expect.poll(() => sent.length).toBe(3);
    sent[2]?.fail(error);
    await expect.poll(() => keysOf(sent).slice(3)).toEqual([['c'], ['d']]);
    sent[3]?.fail(error);
    sent[4]?.answer();
    expect((await answers).map(({ status }) => status)).toEqual(['fulfilled', 'fulfilled', 'rejected', 'fulfilled']);
  });

  it('fail together when the server is gone', async () => {
    const { reads, sent } = watched();
    const answers = Promise.allSettled(['a', 'b', 'c', 'd'].map((key) => reads.read(key)));
    sent[0]?.answer();
    sent[1]?.answer();
    await expect.poll(() => sent.length).toBe(3);
    sent[2]?.fail(new Error('Connection terminated'));
    expect((await answers).map(({ status }) => status)).toEqual(['fulfilled', 'fulfilled', 'rejected', 'rejected']);
    expect(sent).toHaveLength(3);
  });

  it('find keys of every type as reads that come alone do', async () => {
    const tables = await liveTables();
    const rows = Array.from({ length: 12 }, (_, n) => ({
      id: `3f2504e0-4f89-11d3-9a0c-0305e82c33${10 + n}`,
      amount: `${n}.50`,
      day: `2024-06-${10 + n}`,
      open: n % 2 === 0,
      whole: n - 1_000_000,
      code: `"\\${n % 10}`,
      small: n - 6,
      local: `2024-06-${10 + n}T10:00:00.123456`,
      digits: `${9007199254740993n + BigInt(n)}`,
    }));
    await tables.swapTo(await tables.build(Keys, rows));
    const reader = tables.reader(Keys);
    const alone = [];
    for (const row of rows) alone.push(await reader.get(row));
    expect(alone).not.toContain(null);
    expect(await Promise.all(rows.map((row) => reader.get(row)))).toEqual(alone);
    await tables.stop();
  });

  it('are answered though the server does not give the row of one in time, and another cannot be decoded', async () => {
    const tables = await liveTables();
    // Of the connection there is, and of those to come.
    await tables.database.query(`
      do $$ begin execute format('alter database %I set statement_timeout = 500', current_database()); end $$;
      set statement_timeout = 500`);
    const rows = Array.from({ length: 16 }, (_, n) => ({ id: `p${n}`, sold: BigInt(n) }));
    const { tableName } = await tables.build(Totals, rows);
    // Its cost makes PostgreSQL look rows up by their keys first.
    await tables.database.query(`
      create function kappa.sold_text(id text, sold bigint) returns text stable cost 1000000 language plpgsql as
        $$ begin if id = 'p7' then perform pg_sleep(60); end if; return case id when 'p9' then 'many' else sold::text end; end $$;
      alter table "${tableName}" rename to rows_of_totals;
      create view "${tableName}" as select id, kappa.sold_text(id, sold) as sold from rows_of_totals`);
    await tables.database.query(`update projections set active_build = (select id from builds) where name = 'totals'`);
    const reader = tables.reader(Totals);
    const answers = await Promise.allSettled(rows.map(({ id }) => reader.get(id)));
    expect(answers.map((answer) => (answer.status === 'fulfilled' ? answer.value : null))).toEqual(
      rows.map((row, n) => (n === 7 || n === 9 ? null : row)),
    );
    expect(answers[7]).toMatchObject({ reason: { code: 'KAPPA_RETRIABLE', facts: { sqlState: '57014' } } });
    expect(answers[9]).toMatchObject({ reason: expect.any(SyntaxError) as object });
    await tables.stop();
  });

  it('are answered each with its own row, whatever the key is made of', async () => {
    const tables = await liveTables();
    const rows = Array.from({ length: 40 }, (_, n) => ({
      product: `p,"${n % 4}\\{}`,
      at: new Date(Date.UTC(2024, 0, n)),
      till: 9007199254740993n + BigInt(n),
      count: n,
    }));
    const build = await tables.build(Sales, rows);
    await tables.swapTo(build);
    await tables.advance(build, 1, 7);
    const reader = tables.reader(Sales);
    const wanted = [...rows, ...rows, ...rows.map((row) => ({ ...row, product: 'none' }))];
    const answers = await Promise.all(wanted.map(({ product, at, till }) => reader.read({ product, at, till })));
    expect(answers.map(({ row }) => row)).toEqual(wanted.map((row) => (row.product === 'none' ? null : row)));
    for (const { stamp } of answers) expect(stamp).toEqual({ version: 1, build: 1, position: { 'sales/0': 0, 'sales/1': 7 } });
    const together = await tables.database.query<{ n: number }>(
      `select count(*)::int as n from pg_stat_activity where datname = current_database() and query like '%cross join (values %'`,
    );
    expect(together.rows[0]?.n).toBeGreaterThan(0);
    await tables.stop();
  });
});
