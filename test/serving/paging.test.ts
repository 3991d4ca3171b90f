import 'reflect-metadata';
import fc from 'fast-check';
import { Column, Entity, PrimaryColumn } from 'typeorm';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { event, projection, topic, type } from 'nest-kappa';
import { liveTables, type LiveTables } from './live-table.js';

const Happened = event('thing.happened', type<object>());
const things = topic('things', { partitions: 1, events: [Happened] });

@Entity({ synchronize: false })
class ThingRow {
  @PrimaryColumn('text') a!: string;
  @PrimaryColumn('int') b!: number;
  @Column('timestamptz', { nullable: true }) at!: string | null;
  @Column('numeric', { precision: 6, scale: 2, nullable: true }) amount!: string | null;
  @Column('boolean') done!: boolean;
  @Column('text', { nullable: true }) note!: string | null;
}
const Things = projection({ name: 'things', version: 1, from: [things], table: ThingRow });

/** Few different values, so that most rows are equal in most columns; times that differ in microseconds alone. */
const thing = fc.record({
  a: fc.constantFrom('x', 'y', 'Z', 'ä', 'z'),
  b: fc.integer({ min: -3, max: 60 }),
  at: fc.constantFrom(null, '2024-06-01T00:00:00.000001Z', '2024-06-01T00:00:00.000002Z', '2024-06-01T00:00:00Z'),
  amount: fc.constantFrom(null, '1', '1.10', '-2', '10'),
  done: fc.boolean(),
  note: fc.constantFrom(null, '', 'b', 'B', 'a b'),
});
const direction = fc.constantFrom('asc' as const, 'desc' as const);
const sort = fc.uniqueArray(
  fc.record({
    by: fc.constantFrom('a' as const, 'b' as const, 'at' as const, 'amount' as const, 'done' as const, 'note' as const),
    direction,
  }),
  { maxLength: 3, selector: ({ by }) => by },
);
const where = fc.constantFrom({}, { done: true }, { note: null }, { note: 'b', done: false }, { amount: '1.1' });

describe('pages', () => {
  let tables: LiveTables;
  beforeAll(async () => {
    tables = await liveTables();
  });
  afterAll(() => tables.stop());

  it('neither repeat nor skip a row, whatever is equal, null or a microsecond apart', async () => {
    const rows = fc.sample(thing, { numRuns: 250, seed: 7 });
    const unique = [...new Map(rows.map((row) => [`${row.a}/${row.b}`, row])).values()];
    await tables.swapTo(await tables.build(Things, unique));
    const reader = tables.reader(Things);
    await fc.assert(
      fc.asyncProperty(sort, where, fc.integer({ min: 4, max: 60 }), async (by, filter, limit) => {
        const whole = await reader.list({ sort: by, where: filter, limit: 1_000 });
        const paged = [];
        for (let cursor: string | null | undefined; cursor !== null;) {
          const page = await reader.list({ sort: by, where: filter, limit, ...(cursor === undefined ? {} : { cursor }) });
          expect(page.rows.length).toBeLessThanOrEqual(limit);
          paged.push(...page.rows);
          cursor = page.cursor;
        }
        expect(paged).toEqual(whole.rows);
      }),
      { numRuns: 40 },
    );
    const everything = await reader.list({ limit: 1_000 });
    expect(everything.rows).toHaveLength(unique.length);
    expect(everything.cursor).toBeNull();
  }, 60_000);

  it('go on after a row that was removed meanwhile', async () => {
    const Removed = projection({ name: 'removed', version: 1, from: [things], table: ThingRow });
    const build = await tables.build(
      Removed,
      Array.from({ length: 6 }, (_, b) => ({ a: 'x', b, at: null, amount: null, done: true, note: null })),
    );
    await tables.swapTo(build);
    const reader = tables.reader(Removed);
    const first = await reader.list({ limit: 2, sort: [{ by: 'note', direction: 'desc' }] });
    expect(first.rows.map(({ b }) => b)).toEqual([5, 4]);
    await tables.database.query(`delete from "${build.tableName}" where b = 4`);
    const second = await reader.list({ limit: 9, sort: [{ by: 'note', direction: 'desc' }], cursor: first.cursor ?? '' });
    expect(second.rows.map(({ b }) => b)).toEqual([3, 2, 1, 0]);
  });

  it('refuse a cursor of another filter, sort or projection, and one that was tampered with', async () => {
    const Others = projection({ name: 'others', version: 1, from: [things], table: ThingRow });
    const rows = Array.from({ length: 3 }, (_, b) => ({ a: 'x', b, at: null, amount: '1', done: true, note: null }));
    await tables.swapTo(await tables.build(Others, rows));
    const reader = tables.reader(Others);
    const { cursor } = await reader.list({ limit: 1, where: { done: true }, sort: [{ by: 'amount' }] });
    if (cursor === null) throw new Error('a page follows');
    const bad = { code: 'KAPPA_BAD_CURSOR' };
    await expect(reader.list({ limit: 1, where: { done: true }, sort: [{ by: 'amount' }], cursor })).resolves.toMatchObject({
      rows: [{ b: 1 }],
    });
    await expect(reader.list({ where: { done: false }, sort: [{ by: 'amount' }], cursor })).rejects.toMatchObject(bad);
    await expect(
      reader.list({ where: { done: true }, sort: [{ by: 'amount', direction: 'desc' }], cursor }),
    ).rejects.toMatchObject(bad);
    await expect(reader.list({ where: { done: true }, sort: [{ by: 'b' }], cursor })).rejects.toMatchObject(bad);
    await expect(tables.reader(Things).list({ where: { done: true }, sort: [{ by: 'amount' }], cursor })).rejects.toMatchObject(
      bad,
    );
    const parts = JSON.parse(Buffer.from(cursor, 'base64url').toString()) as unknown[];
    const forged = (place: unknown[]): string =>
      Buffer.from(JSON.stringify([...parts.slice(0, 2), ...place])).toString('base64url');
    const list = (given: string) => reader.list({ where: { done: true }, sort: [{ by: 'amount' }], cursor: given });
    await expect(list(forged(['1 or 1=1', 'x', '1']))).rejects.toMatchObject(bad);
    await expect(list(forged(['1', 'x', 'x']))).rejects.toMatchObject(bad);
    await expect(list(forged([1, 'x', 1]))).rejects.toMatchObject(bad);
    await expect(list(forged(['1', 'x\0', '1']))).rejects.toMatchObject(bad);
    await expect(list(forged(['1']))).rejects.toMatchObject(bad);
  });
});
