import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openHouse, type House } from './house.js';
import { accountsV1, flowsV1, history, kindsV1 } from './ledger.js';

describe('rebuild and live', () => {
  let house: House;
  beforeAll(async () => {
    house = await openHouse();
  });
  afterAll(() => house.stop());

  it('equals a clean fold of the log, built in bulk and then followed live', async () => {
    await house.append(history(3_000, { seed: 1 }));
    const works = [await house.newBuild(accountsV1), await house.newBuild(kindsV1), await house.newBuild(flowsV1)];
    await house.rebuild({ works });
    for (const [i, definition] of [accountsV1, kindsV1, flowsV1].entries()) {
      expect(await house.rows(works[i]!)).toEqual(await house.cleanFold(definition, works[i]!));
      expect(await house.builds.get(works[i]!.build.id)).toMatchObject({ state: 'ready', error: null });
    }
    for (const work of works) house.follow(work);
    const position = await house.append(history(3_000, { seed: 2 }));
    for (const [i, definition] of [accountsV1, kindsV1, flowsV1].entries()) {
      await house.reached(works[i]!, position);
      expect(await house.rows(works[i]!)).toEqual(await house.cleanFold(definition, works[i]!));
    }
  });
});
