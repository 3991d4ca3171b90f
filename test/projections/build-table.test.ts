import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createBuildTable } from '../../src/modules/projections/build-table.js';
import type { Row } from '../../src/modules/projections/projection.js';
import { passes } from '../../src/modules/projections/rebuild/passes.js';
import type { TableDefinition } from '../../src/modules/projections/table.js';
import { TcpProxy } from '../../src/testing/tcp-proxy.js';
import { freshDatabase, type FreshDatabase } from './fresh-database.js';

const table: TableDefinition = {
  columns: [
    { property: 'id', name: 'id', type: 'text', value: 'string', nullable: false, isKey: true, default: null, oneOf: null },
    {
      property: 'total',
      name: 'total',
      type: 'numeric(12,2)',
      value: 'string',
      nullable: false,
      isKey: false,
      default: "'0.00'",
      oneOf: null,
    },
  ],
  key: ['id'],
  indexes: [
    { columns: ['total'], where: null },
    { columns: ['total', 'id'], where: 'total > 0' },
  ],
};

describe('a build table', () => {
  let fresh: FreshDatabase;
  beforeAll(async () => {
    fresh = await freshDatabase();
  });
  afterAll(() => fresh.stop());

  it('adds key and indexes once, however often it is asked', async () => {
    const built = createBuildTable('kappa', 'indexed_v1_b1', table);
    await built.create(fresh.database);
    for (const _ of [1, 2]) {
      await built.createKey(fresh.database);
      await built.createIndexes(fresh.database);
    }
    const { rows } = await fresh.database.query<{ indexname: string; indexdef: string }>(
      `select indexname, indexdef from pg_indexes where tablename = 'indexed_v1_b1' order by 1`,
    );
    expect(rows.map((row) => row.indexname)).toEqual(['indexed_v1_b1_i1', 'indexed_v1_b1_i2', 'indexed_v1_b1_pkey']);
    await built.drop(fresh.database);
    await built.drop(fresh.database);
  });

  it('is analysed when it has rows, and never while it is empty: a plan that is kept would scan it for good', async () => {
    const built = createBuildTable('kappa', 'analysed_v1_b1', table);
    await built.create(fresh.database);
    await built.createKey(fresh.database);
    const known = async (): Promise<number | undefined> => {
      const { rows } = await fresh.database.query<{ known: number }>(
        `select reltuples::int as known from pg_class where relname = 'analysed_v1_b1'`,
      );
      return rows[0]?.known;
    };
    await built.createIndexes(fresh.database);
    expect(await known()).toBe(-1);
    await built.upsert(fresh.database, [{ id: 'a', total: '1.00' }]);
    await built.createIndexes(fresh.database);
    expect(await known()).toBe(1);
    await built.drop(fresh.database);
  });

  it('is logged from the start, as its checkpoint is: a crash of the server takes both back to one moment', async () => {
    const built = createBuildTable('kappa', 'logged_v1_b1', table);
    await built.create(fresh.database);
    const { rows } = await fresh.database.query(
      `select relname, relpersistence from pg_class where relname in ('logged_v1_b1', 'progress') order by 1`,
    );
    expect(rows).toEqual([
      { relname: 'logged_v1_b1', relpersistence: 'p' },
      { relname: 'progress', relpersistence: 'p' },
    ]);
  });

  it('replaces rows by key, in one statement, also where a key comes back in a later window', async () => {
    const built = createBuildTable('kappa', 'upserted_v1_b1', table);
    await built.create(fresh.database);
    await built.createKey(fresh.database);
    const row = (id: string, total: string): Row => ({ id, total });
    await fresh.database.transaction((on) => built.copyIn(on, [row('a', '1.00'), row('b', '2.00')]));
    await built.upsert(fresh.database, [row('b', '2.50'), row('c', '3.00')]);
    await built.remove(fresh.database, [{ id: 'a' }, { id: 'unknown' }]);
    expect([...(await built.readKeys(fresh.database, [{ id: 'a' }, { id: 'b' }, { id: 'c' }])).values()]).toEqual([
      row('b', '2.50'),
      row('c', '3.00'),
    ]);
  });

  it('copies more than a socket buffers, and counts its bytes', async () => {
    const built = createBuildTable('kappa', 'copied_v1_b1', table);
    await built.create(fresh.database);
    const many = function* (): Iterable<Row> {
      for (let i = 0; i < 50_000; i += 1) yield { id: `row ${i} ${'x'.repeat(40)}`, total: `${i}.00` };
    };
    const bytes = await fresh.database.transaction((on) => built.copyIn(on, many()));
    const { rows } = await fresh.database.query<{ count: number; total: string }>(
      `select count(*), sum(total) as total from ${built.qualifiedName}`,
    );
    expect(rows[0]).toEqual({ count: 50_000, total: '1249975000.00' });
    expect(bytes).toBeGreaterThan(50_000 * 50);
  });

  it('says that the connection is gone, once, wherever in a long copy it is cut', async () => {
    const built = createBuildTable('kappa', 'cut_v1_b1', table);
    await built.create(fresh.database);
    const many = function* (): Iterable<Row> {
      for (let i = 0; i < 50_000; i += 1) yield { id: `row ${i} ${'x'.repeat(40)}`, total: '1.00' };
    };
    const proxy = await TcpProxy.start(fresh.url);
    const far = fresh.another({ url: proxy.url });
    for (const text of ['copy "kappa"."cut_v1_b1"', 'row 7 ', 'row 20000 ', 'row 49999 ', 'commit\0']) {
      const lost = proxy.losePieceWith(text);
      const error = await far.transaction((on) => built.copyIn(on, many())).catch((cause: unknown) => cause);
      await lost;
      expect(passes(error), `${text}: ${String(error)}`).toBe(true);
    }
    await far.transaction((on) => built.copyIn(on, many()));
    expect((await fresh.database.query(`select count(*) from ${built.qualifiedName}`)).rows).toEqual([{ count: 50_000 }]);
    await proxy.stop();
  });

  it('leaves nothing behind when a row cannot be made or is refused, and the connection goes on', async () => {
    const built = createBuildTable('kappa', 'failed_v1_b1', table);
    await built.create(fresh.database);
    const connection = await fresh.database.connect();
    const failing = function* (): Iterable<Row> {
      for (let i = 0; i < 20_000; i += 1) yield { id: `${i}`, total: '1.00' };
      throw new Error('the fold failed');
    };
    await expect(built.copyIn(connection, failing())).rejects.toThrow('the fold failed');
    await expect(built.copyIn(connection, [{ id: 'a', total: 'no number' }])).rejects.toMatchObject({ code: '22P02' });
    expect((await connection.query(`select count(*) from ${built.qualifiedName}`)).rows).toEqual([{ count: 0 }]);
    expect(await built.copyIn(connection, [{ id: 'a', total: '1.00' }])).toBe(7);
    connection.release();
  });

  it('writes a table of keys alone', async () => {
    const built = createBuildTable('kappa', 'keys_v1_b1', { ...table, columns: table.columns.slice(0, 1), indexes: [] });
    await built.create(fresh.database);
    await built.createKey(fresh.database);
    await built.upsert(fresh.database, [{ id: 'a' }]);
    await built.upsert(fresh.database, [{ id: 'a' }, { id: 'b' }]);
    expect((await built.readKeys(fresh.database, [{ id: 'a' }, { id: 'b' }])).size).toBe(2);
  });
});
