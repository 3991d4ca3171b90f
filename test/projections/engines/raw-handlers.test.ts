import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { history } from './happenings.js';
import { openHouse, type House } from './house.js';
import { Closed, Kinds, kindsV1, Noted, Opened, Paid } from './ledger.js';

/** The same as kindsV1, a third of it in SQL of one's own. */
const mixed = Kinds.on(Paid, { key: (e) => ({ kind: e.data.kind }) }, (row, e, key) => ({
  kind: key.kind,
  cents: (row?.cents ?? 0n) + (e.data.cents % 3 === 0 ? 0n : BigInt(e.data.cents)),
  payments: row?.payments ?? 0,
}))
  .raw(Paid, async ({ transaction, table }, e) => {
    const cents = e.data.cents % 3 === 0 ? e.data.cents : 0;
    await transaction.query(`update ${table} set cents = cents + $2, payments = payments + 1 where kind = $1`, [
      e.data.kind,
      cents,
    ]);
  })
  .on(Paid, { key: (e) => ({ kind: e.data.kind }) }, (row) => row);

describe('a raw handler', () => {
  let house: House;
  beforeEach(async () => {
    house = await openHouse();
  });
  afterEach(() => house.stop());

  it('sees what was folded before it, and folds after it see what it wrote, in bulk and live, by two processes', async () => {
    const other = await house.another();
    await house.append(history(400, { seed: 1 }));
    const [work, right] = [await house.newBuild(mixed), await house.newBuild(kindsV1)];
    await house.rebuild({ works: [work, right] });
    expect(await house.rows(work)).toEqual(await house.rows(right));
    for (const process of [house, other]) process.follow(process.work(work.build, mixed));
    house.follow(right);
    const positions = await Promise.all([house.append(history(200, { seed: 2 })), other.append(history(200, { seed: 3 }))]);
    for (const position of positions) for (const each of [work, right]) await house.reached(each, position);
    expect(await house.rows(work)).toEqual(await house.rows(right));
  });

  it('that fails halts its build at the event, with nothing of it written', async () => {
    await house.append([
      { account: 'a', type: Opened, data: { owner: 'x' } },
      ...history(40, { seed: 4 }).filter(({ type }) => type !== Noted),
    ]);
    const at = await house.append([{ account: 'a', type: Noted, data: { text: 'now' } }]);
    const raw = mixed
      .on(Closed, { key: () => ({ kind: 'closed' }) }, (row) => row)
      .raw(Noted, async ({ transaction, table }) => {
        await transaction.query(`update ${table} set payments = payments + 1`);
        await transaction.query(`select no_such_column from ${table}`);
      });
    const work = await house.newBuild({ ...raw, deadLetters: { halt: true, retries: 1 } });
    await house.rebuild({ works: [work] });
    const [[key, next] = ['', 0]] = Object.entries(at);
    expect(await house.builds.get(work.build.id)).toMatchObject({
      state: 'failed',
      error: {
        code: 'KAPPA_HANDLER_FAILED',
        at: { partition: Number(key.split('/')[1]), offset: next - 1, type: 'account.noted' },
      },
    });
    const right = await house.newBuild(kindsV1);
    await house.rebuild({ works: [right] });
    const upTo = await house.standsAt(work);
    expect(await house.rows(work)).toEqual(await house.cleanFold(kindsV1, right, upTo));
  });
});
