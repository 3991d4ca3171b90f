import 'reflect-metadata';
import { Column, Entity, PrimaryColumn } from 'typeorm';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { event, projection, topic, type } from 'nest-kappa';
import { liveTables, type LiveTables } from './live-table.js';

const Paid = event('fine.paid', type<{ amount: string }>());
const fines = topic('fines', { partitions: 2, events: [Paid] });

@Entity({ synchronize: false })
class FineRow {
  @PrimaryColumn('text') id!: string;
  @Column('numeric', { precision: 12, scale: 2 }) paid!: string;
  @Column('text', { nullable: true }) state!: string | null;
}
/** A later version: one column more, one of another order. */
@Entity({ synchronize: false })
class WiderFineRow {
  @Column('timestamptz', { nullable: true }) settledAt!: string | null;
  @PrimaryColumn('text') id!: string;
  @Column('text', { nullable: true }) state!: string | null;
  @Column('numeric', { precision: 12, scale: 2 }) paid!: string;
}
@Entity({ synchronize: false })
class ChangedFineRow {
  @PrimaryColumn('text') id!: string;
  @Column('numeric', { precision: 14, scale: 3 }) paid!: string;
}
@Entity({ synchronize: false })
class TenantRow {
  @PrimaryColumn('text') tenant!: string;
  @PrimaryColumn('text') id!: string;
  @Column('int') n!: number;
}
@Entity({ synchronize: false })
class DayRow {
  @PrimaryColumn('text') product!: string;
  @PrimaryColumn('date') day!: string;
  @Column('bigint') total!: bigint;
  @Column('jsonb') more!: object;
}

const row = <R>(name: string, version: number, table: new () => R, tenant?: string) =>
  projection({
    name,
    version,
    from: [fines],
    table: table as new () => object,
    ...(tenant ? { tenant: tenant as never } : {}),
  });

describe('a reader', () => {
  let tables: LiveTables;
  beforeAll(async () => {
    tables = await liveTables();
  });
  afterAll(() => tables.stop());

  it('answers a row with the version, build and position it is of', async () => {
    const Fines = projection({ name: 'stamped', version: 1, from: [fines], table: FineRow });
    const build = await tables.build(Fines, [{ id: 'a', paid: '12.5', state: null }]);
    await tables.swapTo(build);
    await tables.advance(build, 1, 7);
    const reader = tables.reader(Fines);
    expect(await reader.read('a')).toEqual({
      row: { id: 'a', paid: '12.50', state: null },
      stamp: { version: 1, build: 1, position: { 'fines/0': 0, 'fines/1': 7 } },
    });
    expect(await reader.get({ id: 'a' })).toEqual({ id: 'a', paid: '12.50', state: null });
    expect(await reader.get('b')).toBeNull();
    expect((await reader.read('b')).stamp.position).toEqual({ 'fines/0': 0, 'fines/1': 7 });
  });

  it('says that there is no live build yet', async () => {
    await expect(
      tables.reader(projection({ name: 'none', version: 1, from: [fines], table: FineRow })).get('a'),
    ).rejects.toMatchObject({ code: 'KAPPA_NO_LIVE_BUILD' });
  });

  it('names what is wrong with a key', async () => {
    const Days = row('days', 1, DayRow);
    await tables.swapTo(
      await tables.build(Days, [{ product: 'mug', day: '2024-06-01', total: 9007199254740993n, more: { a: [1] } }]),
    );
    const reader = tables.reader(Days);
    expect(await reader.get({ product: 'mug', day: '2024-06-01' })).toEqual({
      product: 'mug',
      day: '2024-06-01',
      total: 9007199254740993n,
      more: { a: [1] },
    });
    await expect(reader.get('mug')).rejects.toMatchObject({
      code: 'KAPPA_BAD_KEY',
      message: expect.stringContaining('product, day') as string,
    });
    await expect(reader.get({ product: 'mug' })).rejects.toMatchObject({ code: 'KAPPA_BAD_KEY', facts: { field: 'day' } });
    await expect(reader.get({ product: 'mug', day: '1 June' })).rejects.toMatchObject({
      code: 'KAPPA_BAD_KEY',
      facts: { field: 'day' },
    });
    await expect(reader.get({ product: 'mug', day: '2024-06-01', totl: 1 })).rejects.toMatchObject({
      code: 'KAPPA_BAD_KEY',
      message: expect.stringContaining('totl') as string,
    });
    await expect(reader.get({ product: "'; drop table x --", day: '2024-06-01' })).resolves.toBeNull();
  });

  it('names what is wrong with a list, with what was probably meant', async () => {
    const Days = row('listed_days', 1, DayRow);
    await tables.swapTo(await tables.build(Days, []));
    const reader = tables.reader(Days);
    const list = (options: object) => reader.list(options);
    await expect(list({ where: { prodct: 'mug' } })).rejects.toMatchObject({
      code: 'KAPPA_BAD_QUERY',
      message: expect.stringContaining('did you mean product?') as string,
    });
    await expect(list({ sort: [{ by: 'totals' }] })).rejects.toMatchObject({
      code: 'KAPPA_BAD_QUERY',
      message: expect.stringContaining('did you mean total?') as string,
    });
    await expect(list({ sort: [{ by: 'total', direction: 'down' }] })).rejects.toMatchObject({
      code: 'KAPPA_BAD_QUERY',
      facts: { field: 'total' },
    });
    await expect(list({ where: { total: '12' } })).rejects.toMatchObject({
      code: 'KAPPA_BAD_QUERY',
      facts: { field: 'total' },
    });
    await expect(list({ where: { more: {} } })).rejects.toMatchObject({ code: 'KAPPA_BAD_QUERY', facts: { field: 'more' } });
    await expect(list({ limit: 1_001 })).rejects.toMatchObject({ code: 'KAPPA_BAD_QUERY', facts: { field: 'limit' } });
    await expect(list({ cursor: 'abc' })).rejects.toMatchObject({ code: 'KAPPA_BAD_CURSOR' });
  });

  it('reads another version as long as its own columns stand there with the same type', async () => {
    const V1 = row('widened', 1, FineRow);
    const V2 = row('widened', 2, WiderFineRow);
    const [one, two] = [
      await tables.build(V1, [{ id: 'a', paid: '1', state: 'open' }]),
      await tables.build(V2, [{ id: 'a', paid: '2', state: 'paid', settledAt: '2024-06-01T00:00:00.123456Z' }]),
    ];
    const [old, young] = [tables.reader(V1), tables.reader(V2)];
    await tables.swapTo(one);
    expect(await old.get('a')).toEqual({ id: 'a', paid: '1.00', state: 'open' });
    await expect(young.get('a')).rejects.toMatchObject({
      code: 'KAPPA_READ_MODEL_CHANGED',
      facts: { reads: 2, live: 1, changed: ['settledAt is gone'] },
      nextStep: expect.stringContaining('--swap, or projections swap') as string,
    });
    await tables.swapTo(two);
    expect(await old.get('a')).toEqual({ id: 'a', paid: '2.00', state: 'paid' });
    expect(await young.read('a')).toMatchObject({
      row: { settledAt: '2024-06-01T00:00:00.123456Z' },
      stamp: { version: 2, build: 1 },
    });
    expect(await old.list({ where: { state: 'paid' } })).toMatchObject({
      rows: [{ id: 'a', paid: '2.00', state: 'paid' }],
      stamp: { version: 2 },
    });
    await tables.swapTo(await tables.build(row('widened', 3, ChangedFineRow), []));
    await expect(old.get('a')).rejects.toMatchObject({
      code: 'KAPPA_READ_MODEL_CHANGED',
      facts: { changed: ['paid was numeric(12,2), is numeric(14,3)', 'state is gone'] },
      nextStep: 'Deploy code that reads version 3, or roll back.',
    });
  });

  it('finds its way when the table it knew is dropped', async () => {
    const V1 = row('dropped', 1, FineRow);
    const [one, two] = [
      await tables.build(V1, [{ id: 'a', paid: '1', state: null }]),
      await tables.build(V1, [{ id: 'a', paid: '2', state: null }]),
    ];
    const reader = tables.reader(V1);
    await tables.swapTo(one);
    await reader.get('a');
    await tables.swapTo(two);
    await tables.drop(one);
    expect(await reader.read('a')).toMatchObject({ row: { paid: '2.00' }, stamp: { build: 2 } });
  });

  it('never shows one build with the stamp of another while the pointer flips', async () => {
    const V1 = projection({ name: 'flipping', version: 1, from: [fines], table: FineRow });
    const ids = Array.from({ length: 40 }, (_, n) => `f${n}`);
    const builds = [];
    for (const paid of ['1', '2'])
      builds.push(
        await tables.build(
          V1,
          ids.map((id) => ({ id, paid, state: null })),
        ),
      );
    const [one, two] = builds as [(typeof builds)[0], (typeof builds)[0]];
    await tables.advance(one, 0, 100);
    await tables.advance(two, 0, 200);
    await tables.swapTo(one);
    const reader = tables.reader(V1);
    let reads = 0;
    const swaps = (async () => {
      // Far more often than anybody swaps, yet not so often that no statement fits in between.
      for (let flip = 0; reads < 60; flip += 1) {
        await tables.swapTo(flip % 2 ? one : two);
        await tables.database.query('select pg_sleep(0.004)');
      }
    })();
    const seen = new Set<number>();
    for (; reads < 60; reads += 1) {
      const { row: got, stamp } = await reader.read('f7');
      const page = await reader.list({ limit: 30 });
      seen.add(stamp.build);
      expect([got?.paid, stamp.position['fines/0']]).toEqual(stamp.build === 1 ? ['1.00', 100] : ['2.00', 200]);
      expect([...new Set(page.rows.map(({ paid }) => paid)), page.stamp.position['fines/0']]).toEqual(
        page.stamp.build === 1 ? ['1.00', 100] : ['2.00', 200],
      );
    }
    await swaps;
    expect(seen.size).toBe(2);
  });

  it('gives each tenant its own rows, and nobody all of them', async () => {
    const Tenants = row('by_tenant', 1, TenantRow, 'tenant');
    await tables.swapTo(
      await tables.build(Tenants, [
        { tenant: 'a', id: 'x', n: 1 },
        { tenant: 'b', id: 'x', n: 2 },
        { tenant: '', id: 'x', n: 3 },
      ]),
    );
    const reader = tables.reader(Tenants);
    expect(await reader.get('x', { tenant: 'b' })).toMatchObject({ n: 2 });
    expect(await reader.get('x', { tenant: null })).toMatchObject({ n: 3 });
    expect((await reader.list({ tenant: 'a' })).rows).toEqual([{ tenant: 'a', id: 'x', n: 1 }]);
    await expect(reader.get('x')).rejects.toMatchObject({ code: 'KAPPA_BAD_TENANT' });
    await expect(reader.list()).rejects.toMatchObject({ code: 'KAPPA_BAD_TENANT' });
    await expect(reader.get({ id: 'x', tenant: 'b' }, { tenant: 'a' })).rejects.toMatchObject({ code: 'KAPPA_BAD_KEY' });
    await expect(reader.list({ where: { tenant: 'b' }, tenant: 'a' })).rejects.toMatchObject({ code: 'KAPPA_BAD_QUERY' });
    const page = await tables.reader(row('by_tenant', 1, TenantRow, 'tenant')).list({ tenant: 'a', limit: 1 });
    expect(page.cursor).toBeNull();
    await expect(tables.reader(row('stamped', 1, FineRow)).get('a', { tenant: 'a' })).rejects.toMatchObject({
      code: 'KAPPA_BAD_TENANT',
    });
  });
});

describe('waiting for a position', () => {
  let tables: LiveTables;
  beforeAll(async () => {
    tables = await liveTables();
  });
  afterAll(() => tables.stop());

  it('ends as soon as this process commits it, or another one does', async () => {
    const V1 = row('waited', 1, FineRow);
    const build = await tables.build(V1, []);
    await tables.swapTo(build);
    const reader = tables.reader(V1);
    const waiting = Promise.all([
      reader.waitFor({ 'fines/0': 3 }),
      reader.waitFor({ 'fines/0': 2, 'fines/1': 1 }),
      reader.read('x', { at: { 'fines/0': 3 } }),
    ]);
    await tables.advance(build, 0, 3);
    tables.progress.publish(build.id, { 'fines/0': 3 });
    await tables.advance(build, 1, 1);
    const [, , answer] = await waiting;
    expect(answer.stamp.position['fines/0']).toBe(3);
    await reader.waitFor({ 'fines/0': 3, 'orders/5': 99 });
  });

  it('waits for the first build, too', async () => {
    const V1 = row('awaited', 1, FineRow);
    const reading = tables.reader(V1).get('a', { at: { 'fines/0': 0 } });
    const build = await tables.build(V1, [{ id: 'a', paid: '1', state: null }]);
    await tables.swapTo(build);
    expect(await reading).toMatchObject({ id: 'a' });
  });

  it('is bounded, and says how far it is', async () => {
    const V1 = row('late', 1, FineRow);
    const build = await tables.build(V1, []);
    await tables.swapTo(build);
    await tables.advance(build, 0, 4);
    const reader = tables.reader(V1);
    await expect(reader.waitFor({ 'fines/0': 10 }, { timeoutMs: 50 })).rejects.toMatchObject({
      code: 'KAPPA_READ_TIMEOUT',
      facts: { behind: 6, reached: 'fines/0:4,fines/1:0' },
    });
    await expect(reader.get('a', { at: { 'fines/0': 10 }, timeoutMs: 50 })).rejects.toMatchObject({
      code: 'KAPPA_READ_TIMEOUT',
    });
    await expect(reader.waitFor({ 'fines/7': 1 }, { timeoutMs: 5_000 })).rejects.toMatchObject({ code: 'KAPPA_BAD_POSITION' });
    await expect(reader.waitFor({ 'fines/0': 10 }, { signal: AbortSignal.abort(new Error('enough')) })).rejects.toThrow(
      'enough',
    );
  });
});
