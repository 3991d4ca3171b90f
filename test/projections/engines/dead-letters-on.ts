import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openHouse, type House, type HouseLog } from './house.js';
import { accountsV1 } from './ledger.js';
import { ask, open, others, paid, POISON, poisoned, poisonedAccount, told } from './poison.js';

const ASIDE = ['letter', 'follower', 'follower', 'follower'];

/** What must hold of a failing event whichever driver carries the log; each test gets a log, or topics, of its own. */
export function deadLettersOn(name: string, newLog: () => HouseLog): void {
  describe(`a failing event on the log in ${name}`, () => {
    let where: HouseLog;
    let house: House;
    beforeEach(async () => {
      where = newLog();
      house = await openHouse(where);
    });
    afterEach(() => house.stop());

    it('is set aside with those of its key behind it, while its neighbours go on', async () => {
      const definition = poisoned(accountsV1, undefined, { retries: 2 });
      const work = await house.newBuild(definition);
      await house.rebuild({ works: [work] });
      house.follow(work);
      await house.append([...others(100, 1), ...poisonedAccount, ...others(100, 2)]);
      const end = await house.append([paid('victim', 3), ...others(100, 3)]);
      await house.reached(work, end);
      const letters = await house.letters(work);
      expect(letters.map(({ state }) => state)).toEqual([...ASIDE, 'follower']);
      expect(letters[0]).toMatchObject({
        key: 'victim',
        type: 'account.paid',
        attempts: 3,
        reason: { code: 'KAPPA_HANDLER_FAILED', message: 'cannot be taken in' },
      });
      expect(letters[0]?.reason?.stack).toContain('poison.ts');
      expect(letters.slice(1).every(({ reason, key, attempts }) => reason === null && key === 'victim' && attempts === 0)).toBe(
        true,
      );
      expect(await house.rows(work)).toEqual(await house.cleanFold(accountsV1, work, undefined, letters));
      expect(await house.builds.get(work.build.id)).toMatchObject({ state: 'ready', error: null });
      expect(house.lines.filter((line) => line.includes(`set ${where.accounts}/`))).toHaveLength(1);
    });

    it('is set aside in a rebuild as it is live', async () => {
      const definition = poisoned(accountsV1);
      const [live, rebuilt] = [await house.newBuild(definition), await house.newBuild(definition)];
      await house.rebuild({ works: [live] });
      house.follow(live);
      await house.reached(live, await house.append([...others(100, 4), ...poisonedAccount, ...others(100, 5)]));
      await house.rebuild({ works: [rebuilt], batchRecords: 50 });
      const letters = await house.letters(live);
      expect(letters.map(({ state }) => state)).toEqual(ASIDE);
      expect((await house.letters(rebuilt)).map(told)).toEqual(letters.map(told));
      const right = await house.cleanFold(accountsV1, live, undefined, letters);
      for (const work of [live, rebuilt]) expect(await house.rows(work)).toEqual(right);
    });

    it('is retried by the owner after a fix, in order, and the table ends as if nothing had happened, while events go on', async () => {
      let corrected = false;
      const definition = poisoned(accountsV1, (e) => !corrected && (e.data as { cents?: number }).cents === POISON);
      const work = await house.newBuild(definition);
      await house.rebuild({ works: [work] });
      house.follow(work);
      await house.reached(work, await house.append([...others(50, 6), ...poisonedAccount, ...others(50, 7)]));
      corrected = true;
      const writing = (async () => {
        let end = {};
        for (let n = 0; n < 40; n++) end = await house.append([paid('victim', n), ...others(10, 100 + n)]);
        return end;
      })();
      await ask(house, work, 'retry');
      await house.waiting(work, 0);
      await house.reached(work, await writing);
      await house.waiting(work, 0);
      const letters = await house.letters(work);
      expect(letters.length).toBeGreaterThanOrEqual(4);
      expect(new Set(letters.map(({ state }) => state))).toEqual(new Set(['applied']));
      expect(letters[0]).toMatchObject({ requestedBy: 'an operator', request: null });
      expect(await house.rows(work)).toEqual(await house.cleanFold(accountsV1, work));
      await house.reached(work, await house.append([paid('victim', 1)]));
      expect((await house.letters(work)).length).toBe(letters.length);
    });

    it('halts its build where too many stand aside, live and in a rebuild, and a retry lets it go on', async () => {
      let corrected = false;
      const definition = poisoned(accountsV1, (e) => !corrected && (e.data as { cents?: number }).cents === POISON, {
        retries: 0,
        maxLetters: 3,
      });
      const work = await house.newBuild(definition);
      await house.rebuild({ works: [work] });
      await house.append([...others(50, 10), ...poisonedAccount.slice(0, 4), paid('victim', 4)]);
      const over = await house.append([paid('victim', 5), ...others(50, 11)]);
      const again = await house.newBuild(definition);
      await house.rebuild({ works: [again] });
      await house.follow(work).done;
      for (const each of [work, again]) {
        expect(await house.builds.get(each.build.id)).toMatchObject({
          state: 'failed',
          error: { code: 'KAPPA_TOO_MANY_DEAD_LETTERS', at: { type: 'account.paid' } },
        });
        const letters = await house.letters(each);
        expect(letters.map(({ state }) => state)).toEqual(['letter', 'follower', 'follower']);
        expect(await house.rows(each)).toEqual(await house.cleanFold(accountsV1, each, await house.standsAt(each), letters));
      }
      corrected = true;
      await ask(house, again, 'retry');
      await house.builds.move(again.build.id, 'building', { error: null });
      await house.rebuild({ works: [again] });
      await house.reached(again, over);
      expect(open(await house.letters(again))).toEqual([]);
      expect(await house.rows(again)).toEqual(await house.cleanFold(accountsV1, again));
    });
  });
}
