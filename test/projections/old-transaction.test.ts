import { describe, expect, it } from 'vitest';
import { OldTransactionWatch, oldestTransaction } from '../../src/modules/projections/old-transaction.js';
import { freshDatabase } from './fresh-database.js';

describe('a transaction that stays open', () => {
  it('is found with its pid and application when it holds a snapshot, and told once', async () => {
    const { database, another, stop } = await freshDatabase();
    const held = await another().connect();
    try {
      const told: string[] = [];
      const watch = new OldTransactionWatch(database, (message) => told.push(message), 0);
      await watch.look();
      expect(told).toEqual([]);

      await held.query('begin isolation level repeatable read');
      const { rows } = await held.query<{ pid: number }>('select pg_backend_pid() as pid');
      const pid = rows[0]?.pid;
      expect(await oldestTransaction(database, 0)).toMatchObject({ pid, state: 'idle in transaction' });
      expect(await oldestTransaction(database)).toBeNull();
      await watch.look();
      await watch.look();
      expect(told).toEqual([expect.stringContaining(`pid ${pid} `)]);

      await held.query('commit');
      expect(await oldestTransaction(database, 0)).toBeNull();
      await held.query('begin isolation level repeatable read');
      await held.query('select 1');
      await watch.look();
      expect(told).toHaveLength(2);
      await held.query('commit');
    } finally {
      held.release();
      await stop();
    }
  });
});
