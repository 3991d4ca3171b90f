import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openHouse, type House } from './house.js';
import { history } from './happenings.js';
import { accountsV1, flowsV1, kindsV1 } from './ledger.js';

const all = [accountsV1, kindsV1, flowsV1];

describe('a projection equals a clean fold of the log', () => {
  let house: House;
  beforeEach(async () => {
    house = await openHouse();
  });
  afterEach(() => house.stop());

  it('built in bulk, several in one pass, and then followed live', async () => {
    await house.append(history(3_000, { seed: 1 }));
    const works = await Promise.all(all.map((definition) => house.newBuild(definition)));
    await house.rebuild({ works });
    for (const [i, definition] of all.entries()) {
      expect(await house.rows(works[i]!)).toEqual(await house.cleanFold(definition, works[i]!));
      expect(await house.builds.get(works[i]!.build.id)).toMatchObject({ state: 'ready', error: null });
    }
    for (const work of works) house.follow(work);
    const position = await house.append(history(3_000, { seed: 2 }));
    for (const [i, definition] of all.entries()) {
      await house.reached(works[i]!, position);
      expect(await house.rows(works[i]!)).toEqual(await house.cleanFold(definition, works[i]!));
    }
  });

  it('whether several are built in one pass or one by one', async () => {
    await house.append(history(4_000, { seed: 3 }));
    const together = await Promise.all(all.map((definition) => house.newBuild(definition)));
    await house.rebuild({ works: together });
    for (const [i, definition] of all.entries()) {
      const alone = await house.newBuild(definition);
      await house.rebuild({ works: [alone] });
      expect(await house.rows(alone)).toEqual(await house.rows(together[i]!));
    }
  });

  it('with two processes on rows that all partitions share, live and caught up', async () => {
    const other = await house.another();
    const works = await Promise.all(all.map((definition) => house.newBuild(definition)));
    await house.rebuild({ works });
    for (const process of [house, other])
      for (const [i, definition] of all.entries()) process.follow(process.work(works[i]!.build, definition));
    const owned = [house, other].map((process) => process.assigned(4 * all.length));
    await Promise.all(owned);
    const positions = await Promise.all(
      Array.from({ length: 4 }, async (_, writer) => {
        let position = {};
        for (let n = 0; n < 15; n++)
          position = await (writer % 2 ? other : house).append(history(100, { accounts: 12, seed: writer * 100 + n }));
        return position;
      }),
    );
    for (const [i, definition] of all.entries()) {
      for (const position of positions) await house.reached(works[i]!, position);
      expect(await house.rows(works[i]!)).toEqual(await house.cleanFold(definition, works[i]!));
    }
  });

  it('with so little memory that every row is written and read back (rebuildMemoryMb 1)', async () => {
    await house.append(history(12_000, { accounts: 9_000, seed: 5 }));
    const works = await Promise.all([accountsV1, flowsV1].map((definition) => house.newBuild(definition)));
    await house.rebuild({ works, memoryMb: 1 });
    for (const [i, definition] of [accountsV1, flowsV1].entries()) {
      expect(await house.rows(works[i]!)).toEqual(await house.cleanFold(definition, works[i]!));
    }
  });

  it('where builds resume at different checkpoints in one pass', async () => {
    await house.append(history(2_000, { seed: 6 }));
    const works = await Promise.all(all.map((definition) => house.newBuild(definition)));
    await house.rebuildUntil({ works: [works[0]!], checkpointMs: 0, maxEventsPerSecond: 2_000 }, 500);
    await house.rebuildUntil({ works: [works[1]!], checkpointMs: 0, maxEventsPerSecond: 2_000 }, 1_000);
    await house.append(history(2_000, { seed: 7 }));
    await house.rebuild({ works });
    for (const [i, definition] of all.entries()) {
      expect(await house.rows(works[i]!)).toEqual(await house.cleanFold(definition, works[i]!));
    }
  });
});
