import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Queryable } from '../../../src/database/database.js';
import { TcpProxy } from '../../../src/testing/tcp-proxy.js';
import { history } from './happenings.js';
import { house as openHouseAt, openHouse, type House } from './house.js';
import { accountsV1, Kinds, kindsV1, Paid } from './ledger.js';

const AT_ONCE = { retries: 0 };
const count = async (on: Queryable, table: string, kind: string, cents: number): Promise<void> => {
  await on.query(
    `insert into ${table} as t (kind, cents, payments) values ($1, $2, 1)
     on conflict (kind) do update set cents = t.cents + excluded.cents, payments = t.payments + 1`,
    [kind, cents],
  );
};

/** As kindsV1, by a handler that makes an error of its own of whatever it meets. */
const wrapping = {
  ...Kinds.raw(Paid, async ({ transaction, table }, e) => {
    try {
      await count(transaction, table, e.data.kind, e.data.cents);
    } catch {
      throw new Error('the payment cannot be counted');
    }
  }),
  deadLetters: AT_ONCE,
};
/** And by one that hides what it meets. */
const swallowing = {
  ...Kinds.raw(Paid, async ({ transaction, table }, e) => {
    await count(transaction, table, e.data.kind, e.data.cents).catch(() => undefined);
  }),
  deadLetters: AT_ONCE,
};

describe('an outage makes no dead letters', () => {
  let house: House;
  let proxy: TcpProxy;
  let far: House;
  beforeEach(async () => {
    house = await openHouse();
    proxy = await TcpProxy.start(house.url);
    far = await openHouseAt(proxy.url);
  });
  afterEach(async () => {
    proxy.heal();
    await far.stop();
    await proxy.stop();
    await house.stop();
  });

  it('while connections are cut under live runners, whatever their handlers make of it', async () => {
    const definitions = [{ ...accountsV1, deadLetters: AT_ONCE }, wrapping, swallowing];
    const works = await Promise.all(definitions.map((definition) => house.newBuild(definition)));
    await house.rebuild({ works });
    for (const [i, definition] of definitions.entries()) far.follow(far.work(works[i]!.build, definition));
    for (let round = 0; round < 3; round++) {
      const end = await house.append(history(200, { seed: round }));
      for (let cut = 0; cut < 4; cut++) {
        proxy.cutOnce();
        await house.movedOn(works[1]!);
      }
      proxy.cut();
      await far.said('trying again');
      proxy.heal();
      for (const work of works) await house.reached(work, end);
      far.lines.length = 0;
    }
    for (const [i, definition] of [accountsV1, kindsV1, kindsV1].entries()) {
      expect(await house.letters(works[i]!)).toEqual([]);
      const sound = house.work(works[i]!.build, definition);
      expect(await house.rows(sound)).toEqual(await house.cleanFold(definition, sound));
    }
    // Each cut is waited out by up to two seconds.
  }, 120_000);

  it('nor do a lock that is not given, a cancelled statement and a server that only reads', async () => {
    const failures = ['55P03', '57014', '40001', '40P01', '53100', '25006', '58030'];
    const works = await Promise.all([wrapping, swallowing].map((definition) => house.newBuild(definition)));
    await house.rebuild({ works });
    await house.database.query(`create table failures (at int primary key, code text)`);
    await house.database.query(`create sequence tries`);
    await house.database.query(
      `create function fail() returns trigger language plpgsql as $$ declare failure text; begin
         select code into failure from failures where at = nextval('tries');
         if failure is not null then raise exception 'not now' using errcode = failure; end if;
         return new;
       end $$`,
    );
    for (const [at, code] of failures.entries())
      await house.database.query('insert into failures values ($1, $2)', [5 + at * 3, code]);
    for (const { table } of works)
      await house.database.query(
        `create trigger fail before insert on ${table.qualifiedName} for each row execute function fail()`,
      );
    for (const work of works) house.follow(work);
    const end = await house.append(history(100, { seed: 9 }));
    for (const work of works) {
      await house.reached(work, end);
      expect(await house.letters(work)).toEqual([]);
      const sound = house.work(work.build, kindsV1);
      expect(await house.rows(sound)).toEqual(await house.cleanFold(kindsV1, sound));
    }
  });

  it('but a statement that a handler swallows for a reason of its own does, and is not lost without a word', async () => {
    const hiding = {
      ...Kinds.raw(Paid, async ({ transaction, table }, e) => {
        const column = e.data.cents === 666 ? 'no_such_column' : 'payments';
        await transaction.query(`update ${table} set ${column} = 1`).catch(() => undefined);
      }),
      deadLetters: AT_ONCE,
    };
    const recovering = {
      ...Kinds.raw(Paid, async ({ transaction, table }, e) => {
        await transaction.query('savepoint before');
        await transaction
          .query(`insert into ${table} (kind) values ('lacks columns')`)
          .catch(() => transaction.query('rollback to savepoint before'));
        await count(transaction, table, e.data.kind, e.data.cents);
      }),
      deadLetters: AT_ONCE,
    };
    const works = await Promise.all([hiding, recovering].map((definition) => house.newBuild(definition)));
    await house.rebuild({ works });
    for (const work of works) house.follow(work);
    const paid = (cents: number) => ({ account: 'a', type: Paid, data: { cents, kind: 'k', to: 'a' } });
    const end = await house.append([paid(1), paid(666), paid(2)]);
    for (const work of works) await house.reached(work, end);
    const [lost, fine] = [await house.letters(works[0]!), await house.letters(works[1]!)];
    expect(lost.map(({ state }) => state)).toEqual(['letter', 'follower']);
    expect(lost[0]?.reason?.message).toContain('SQLSTATE 42703');
    expect(fine).toEqual([]);
    expect(await house.rows(works[1]!)).toMatchObject([{ kind: 'k', cents: 669n, payments: 3 }]);
  });
});
