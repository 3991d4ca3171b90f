import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Refusals } from '../../../src/modules/projections/runner/refusals.js';
import { history } from './happenings.js';
import { openHouse, type House } from './house.js';
import { kindsV1 } from './ledger.js';

const errorWith = (code: string): Error => Object.assign(new Error(code), { code });

describe('what the database refuses for a reason that does not pass', { timeout: 60_000 }, () => {
  let house: House;
  beforeEach(async () => {
    house = await openHouse();
  });
  afterEach(() => house.stop());

  it('stops a live build after some tries, with its error and nothing lost; mended, it goes on from there', async () => {
    const work = await house.newBuild(kindsV1, { swapWhenReady: true });
    await house.rebuild({ works: [work] });
    const live = house.work(await house.live('kinds'), kindsV1);
    const { qualifiedName } = live.table;
    await house.database.query(
      `create function refuse() returns trigger language plpgsql as $$ begin raise exception 'closed' using errcode = '0A000'; end $$`,
    );
    await house.database.query(
      `create trigger refuse before insert on ${qualifiedName} for each row execute function refuse()`,
    );
    const position = await house.append(history(200));
    const runner = house.follow(live);
    await runner.done;
    expect(runner.failed).toBe(true);
    expect(await house.builds.get(live.build.id)).toMatchObject({
      state: 'live',
      error: { code: 'KAPPA_BUILD_STOPPED', message: 'closed', at: null },
    });
    expect(house.lines.some((line) => line.includes('kinds v1 build 1 stopped. closed'))).toBe(true);
    expect(await house.rows(live)).toEqual([]);

    await house.database.query(`drop trigger refuse on ${qualifiedName}`);
    house.follow(house.work((await house.builds.get(live.build.id))!, kindsV1));
    await house.untilNoError(live.build);
    await house.reached(live, position);
    expect(await house.rows(live)).toEqual(await house.cleanFold(kindsV1, live));
  });

  it('is tried eight times', () => {
    const refusals = new Refusals();
    const tries = Array.from({ length: 8 }, (_, at) => refusals.isTooMany(errorWith('42P01'), at));
    expect(tries).toEqual([...Array.from({ length: 7 }, () => false), true]);
  });

  it('is never an outage, a lock, a full disk, a failover or a failing record', () => {
    const refusals = new Refusals();
    const passing = ['08006', '40001', '40P01', '55P03', '53100', '57P01', '57P03', '58030', '25006'].map(errorWith);
    for (let round = 0; round < 5; round++)
      for (const error of [...passing, new Error('connection terminated'), new TypeError('no')])
        expect(refusals.isTooMany(error, round)).toBe(false);
  });

  it('counts an error once, and forgets after a minute without one', () => {
    const refusals = new Refusals();
    const one = errorWith('42501');
    for (let n = 0; n < 20; n++) expect(refusals.isTooMany(one, n)).toBe(false);
    for (let n = 1; n < 50; n++) expect(refusals.isTooMany(errorWith('42501'), n * 60_001 + 20)).toBe(false);
  });
});
