import 'reflect-metadata';
import { Column, Entity, PrimaryColumn } from 'typeorm';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { event, projection, topic, type } from 'nest-kappa';
import type { Build } from '../../src/modules/projections/build.js';
import { liveTables, type LiveTables } from './live-table.js';

const Paid = event('fine.paid', type<object>());
const fines = topic('fines', { partitions: 2, events: [Paid] });

@Entity({ synchronize: false })
class FineRow {
  @PrimaryColumn('text') id!: string;
  @Column('numeric', { precision: 12, scale: 2 }) paid!: string;
}
const Fines = projection({ name: 'fines', version: 1, from: [fines], table: FineRow });

/** PostgreSQL plans a named statement for each value five times before it keeps a plan for all. */
const UNTIL_KEPT = 10;

describe('the statement that reads a row', () => {
  let tables: LiveTables;
  beforeEach(async () => {
    vi.useFakeTimers({ toFake: ['performance'] });
    // All statements meet on one connection.
    tables = await liveTables({ poolSize: 1 });
  });
  afterEach(async () => {
    vi.useRealTimers();
    await tables.stop();
  });

  const build = (paid = '1'): Promise<Build> =>
    tables.build(
      Fines,
      Array.from({ length: 20 }, (_, n) => ({ id: `f${n}`, paid })),
    );
  const kept = async (): Promise<readonly { name: string; generic_plans: number }[]> =>
    (
      await tables.database.query<{ name: string; generic_plans: number }>(
        `select name, generic_plans from pg_prepared_statements where name like 'kappa_row_%' order by prepare_time`,
      )
    ).rows;
  const planOf = async (name: string, keys: readonly string[] = ['f1']): Promise<string> =>
    (
      await tables.database.query(`explain execute "${name}" (${['fines', ...keys].map((value) => `'${value}'`).join(', ')})`)
    ).rows
      .map((row) => Object.values(row)[0])
      .join('\n');

  it('is planned once for all keys', async () => {
    await tables.swapTo(await build());
    const reader = tables.reader(Fines);
    for (let n = 0; n < 20; n += 1) expect(await reader.get(`f${n}`)).toEqual({ id: `f${n}`, paid: '1.00' });
    expect(await reader.get('f20')).toBeNull();
    expect(await kept()).toEqual([
      { name: expect.stringMatching(/^kappa_row_[\w-]{16}_\d+_\d+$/) as string, generic_plans: 15 },
    ]);
  });

  it.each([
    [2, 2],
    [3, 4],
    [4, 4],
    [5, 8],
    [8, 8],
    [9, 16],
    [16, 16],
  ])('is planned once for all keys, too, where %i reads share one for %i', async (reads, rows) => {
    await tables.swapTo(await build());
    const reader = tables.reader(Fines);
    // Looks at the sizes.
    await reader.get('f1');
    for (let n = 0; n < UNTIL_KEPT; n += 1) {
      // Two are under way before others wait.
      const ids = Array.from({ length: 2 + reads }, (_, at) => `f${(n + at) % 21}`);
      expect(await Promise.all(ids.map((id) => reader.get(id)))).toEqual(
        ids.map((id) => (id === 'f20' ? null : { id, paid: '1.00' })),
      );
    }
    const shared = (await kept()).filter(({ name }) => name.startsWith('kappa_rows_'));
    expect(shared).toEqual([{ name: expect.stringContaining(`kappa_rows_${rows}_`) as string, generic_plans: UNTIL_KEPT - 5 }]);
  });

  it('is planned anew for a table that has grown, and is not analysed yet', async () => {
    const live = await build();
    await tables.swapTo(live);
    await tables.database.query(`alter table "${live.tableName}" set (autovacuum_enabled = off)`);
    await tables.database.query(`analyze "${live.tableName}"`);
    const reader = tables.reader(Fines);
    for (let n = 0; n < UNTIL_KEPT; n += 1) await reader.get('f1');
    const [small] = await kept();
    expect(await planOf(small?.name ?? '')).toContain(`Seq Scan on ${live.tableName}`);

    await tables.database.query(`insert into "${live.tableName}" select 'g' || n, n from generate_series(1, 20000) n`);
    vi.advanceTimersByTime(1_000);
    for (let n = 0; n < UNTIL_KEPT; n += 1) expect(await reader.get('g7')).toEqual({ id: 'g7', paid: '7.00' });
    const [before, grown, ...others] = await kept();
    expect(others).toEqual([]);
    // The old plan would scan twenty thousand rows: nobody has told it.
    expect(await planOf(before?.name ?? '')).toContain(`Seq Scan on ${live.tableName}`);
    expect(await planOf(grown?.name ?? '')).toContain(`Index Scan using`);
    expect(await planOf(grown?.name ?? '')).not.toContain(`Seq Scan on ${live.tableName}`);
    expect(grown?.generic_plans).toBeGreaterThan(0);
  });

  it('is planned anew for a table that has grown, where reads share it', async () => {
    const live = await build();
    await tables.swapTo(live);
    await tables.database.query(`alter table "${live.tableName}" set (autovacuum_enabled = off)`);
    await tables.database.query(`analyze "${live.tableName}"`);
    const reader = tables.reader(Fines);
    const together = async (): Promise<void> => {
      for (let n = 0; n < UNTIL_KEPT; n += 1) await Promise.all(Array.from({ length: 12 }, () => reader.get('f1')));
    };
    const shared = async (): Promise<readonly string[]> =>
      (await kept()).map(({ name }) => name).filter((name) => name.startsWith('kappa_rows_'));
    await together();
    const keys = Array.from({ length: 16 }, (_, n) => `f${n}`);
    const [small] = await shared();
    expect(await planOf(small ?? '', keys)).toContain(`Seq Scan on ${live.tableName}`);

    await tables.database.query(`insert into "${live.tableName}" select 'g' || n, n from generate_series(1, 20000) n`);
    vi.advanceTimersByTime(1_000);
    await together();
    const [, grown] = await shared();
    expect(await planOf(grown ?? '', keys)).toContain('Index Scan using');
    expect(await planOf(grown ?? '', keys)).not.toContain(`Seq Scan on ${live.tableName}`);
    expect((await kept()).find(({ name }) => name === grown)?.generic_plans).toBeGreaterThan(0);
  });

  it('is planned anew when the progress table has grown', async () => {
    const [live, other] = [await build(), await build()];
    await tables.swapTo(live);
    await tables.database.query(`alter table progress set (autovacuum_enabled = off)`);
    await tables.database.query(`analyze progress`);
    const reader = tables.reader(Fines);
    for (let n = 0; n < UNTIL_KEPT; n += 1) await reader.get('f1');
    const [small] = await kept();
    expect(await planOf(small?.name ?? '')).toContain('Seq Scan on progress');

    await tables.database.query(
      `insert into progress select build_id, 'grown', n, 0, 0, null, null, log_driver, log_cluster, topic_incarnation
         from progress, generate_series(0, 20000) n where build_id = $1 and partition = 0`,
      [other.id],
    );
    vi.advanceTimersByTime(1_000);
    for (let n = 0; n < UNTIL_KEPT; n += 1) await reader.get('f1');
    const [, grown] = await kept();
    expect(await planOf(grown?.name ?? '')).not.toContain('Seq Scan on progress');
  });

  it('is of another name after a swap, whether or not the old table is still there', async () => {
    const [one, two, three] = [await build('1'), await build('2'), await build('3')];
    const reader = tables.reader(Fines);
    const look = async (paid: string): Promise<void> => {
      for (let n = 0; n < UNTIL_KEPT; n += 1) expect(await reader.get('f1')).toEqual({ id: 'f1', paid });
    };
    await tables.swapTo(one);
    await look('1.00');
    await tables.swapTo(two);
    await look('2.00');
    await tables.swapTo(three);
    await tables.drop(two);
    await look('3.00');
    expect(await kept()).toHaveLength(3);
  });

  it.each([
    [
      'no longer fits its table',
      (live: Build) => `alter table "${live.tableName}" alter column paid type numeric(14,3)`,
      '1.000',
    ],
    ['was thrown away by somebody else', () => 'deallocate all', '1.00'],
  ])('is prepared again on another connection when it %s', async (_, change, paid) => {
    const live = await build();
    await tables.swapTo(live);
    const reader = tables.reader(Fines);
    for (let n = 0; n < UNTIL_KEPT; n += 1) await reader.get('f1');
    await tables.database.query(change(live));
    for (let n = 0; n < UNTIL_KEPT; n += 1) expect(await reader.get('f1')).toEqual({ id: 'f1', paid });
  });
});
