import { describe, expect, it } from 'vitest';
import { underCreationLock } from '../../src/modules/projections/rebuild/creation-lock.js';
import { freshDatabase } from './fresh-database.js';

interface Holder {
  readonly snapshot: string | null;
  readonly transaction: string | null;
  readonly idles: boolean;
}

/** Who holds the lock; it has idled for longer than a connection of ours may, where it was not told otherwise. */
const HOLDER = `
  select a.backend_xmin::text as snapshot, a.backend_xid::text as transaction,
         clock_timestamp() - a.state_change > (select setting::int * interval '1.1 ms' from pg_settings where name = 'idle_in_transaction_session_timeout') as idles
  from pg_locks l join pg_stat_activity a using (pid)
  where l.locktype = 'advisory' and l.granted and a.datname = current_database()`;

const WAITING = `
  select 1 from pg_locks l join pg_stat_activity a using (pid)
  where l.locktype = 'advisory' and not l.granted and a.datname = current_database()`;

describe('the lock under which builds are decided', () => {
  it('holds no snapshot and no transaction number, so that nothing waits for it, and is not ended while it idles', async () => {
    const { database, another, stop } = await freshDatabase();
    try {
      const order: string[] = [];
      const waiting: Promise<void>[] = [];
      await underCreationLock(database, async () => {
        for (;;) {
          const [holder, ...others] = (await database.query<Holder>(HOLDER)).rows;
          expect(others).toEqual([]);
          expect(holder).toBeDefined();
          if (!holder?.idles) continue;
          expect(holder).toMatchObject({ snapshot: null, transaction: null });
          break;
        }
        waiting.push(underCreationLock(another(), async () => void order.push('second')));
        while ((await database.query(WAITING)).rows.length === 0);
        order.push('first');
      });
      await Promise.all(waiting);
      expect(order).toEqual(['first', 'second']);
    } finally {
      await stop();
    }
  });
});
