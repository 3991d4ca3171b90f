import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Database } from '../../src/database/database.js';
import { KeptPlans } from '../../src/database/kept-plans.js';
import { createTestDatabase } from '../../src/testing/test-server.js';

describe('plans that the server keeps', () => {
  let database: Database;
  let drop: () => Promise<void>;
  beforeEach(async () => {
    vi.useFakeTimers({ toFake: ['performance'] });
    const made = await createTestDatabase();
    // All statements meet on one connection.
    database = new Database({ url: made.url, poolSize: 1 });
    drop = made.drop;
    await database.query('create table public.small (id int)');
  });
  afterEach(async () => {
    vi.useRealTimers();
    await database.stop();
    await drop();
  });

  const names = async (): Promise<readonly string[]> =>
    (
      await database.query<{ name: string }>(
        `select name from pg_prepared_statements where name <> '' order by prepare_time, name`,
      )
    ).rows.map(({ name }) => name);
  const COUNT = 'select count(*) from public.small';

  it('have names by text and by the sizes of tables, which are looked at once a second', async () => {
    const plans = new KeptPlans('test', ['public.small']);
    await plans.on(database, 'count').query(COUNT);
    expect(await names()).toEqual([]);
    await plans.look(database);
    for (let n = 0; n < 3; n += 1) await plans.on(database, 'count').query(COUNT);
    await plans.on(database, 'count').query(`${COUNT} where id = $1`, [1]);
    const first = await names();
    expect(first).toHaveLength(2);
    for (const name of first) expect(name).toMatch(/^test_count_[\w-]{16}_0$/);

    await database.query('insert into public.small select generate_series(1, 10000)');
    await plans.look(database);
    await plans.on(database, 'count').query(COUNT);
    expect(await names()).toEqual(first);
    vi.advanceTimersByTime(1_000);
    await plans.on(database, 'count').query(COUNT);
    expect(await names()).toEqual(first);
    await plans.look(database);
    await plans.on(database, 'count').query(COUNT);
    expect(await names()).toEqual([...first, expect.stringMatching(/^test_count_[\w-]{16}_2$/)]);
  });

  it('are not kept of a table that is gone', async () => {
    const plans = new KeptPlans('test', ['public.small', 'public.gone']);
    await plans.look(database);
    await plans.on(database, 'count').query(COUNT);
    expect(await names()).toEqual([]);
  });

  it('are made anew where somebody threw them away, also in a transaction', async () => {
    const named = { name: 'test_count', text: COUNT };
    await database.query(named);
    await database.query('deallocate all');
    await expect(database.query(named)).rejects.toThrow('does not exist');
    expect((await database.query(named)).rows).toEqual([{ count: 0 }]);
    await database.query('deallocate all');
    const counted = (): Promise<unknown> => database.transaction((on) => on.query(named));
    await expect(counted()).rejects.toThrow('does not exist');
    expect(await counted()).toMatchObject({ rows: [{ count: 0 }] });
  });

  it('are bounded in number on a connection', async () => {
    const most: number[] = [];
    for (let n = 0; n < 600; n += 1) {
      await database.query({ name: `test_${n}`, text: `select ${n}` });
      if (n % 16 === 0 || n > 500) most.push((await names()).length);
    }
    expect(Math.max(...most)).toBe(512);
    expect(most.at(-1)).toBeLessThan(100);
  });
});
