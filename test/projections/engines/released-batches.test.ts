import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { jsonCodec } from '../../../src/kernel/codec.js';
import { event } from '../../../src/kernel/event.js';
import { type } from '../../../src/kernel/shape.js';
import { topic } from '../../../src/kernel/topic.js';
import { buildWork } from '../../../src/modules/projections/build-work.js';
import { projection } from '../../../src/modules/projections/projection.js';
import { history } from './happenings.js';
import { openHouse, type House } from './house.js';
import { AccountRow, accountsV1, Paid } from './ledger.js';

const Said = event('other.said', type<{ text: string }>());
const others = topic('others', { partitions: 1, events: [Said], decode: () => null });
const ofOthers = projection({ name: 'of-others', version: 1, from: [others], table: AccountRow }).on(Said, (row) => row);

describe('the batches of a rebuild', () => {
  let house: House;
  let given: number;
  let released: number;
  beforeEach(async () => {
    house = await openHouse();
    given = 0;
    released = 0;
    const read = house.log.read.bind(house.log);
    house.log.read = async function* (options) {
      for await (const batch of read(options)) {
        given += 1;
        const release = batch.release?.bind(batch);
        yield Object.assign(batch, {
          release: () => {
            released += 1;
            release?.();
          },
        });
      }
    };
  });
  afterEach(() => house.stop());

  it('are released once they are folded, and rows are as they should be', async () => {
    await house.append(history(3_000, { seed: 3 }));
    const work = await house.newBuild(accountsV1);
    await house.rebuild({ works: [work], batchRecords: 50 });
    expect(given).toBeGreaterThan(50);
    expect(released).toBe(given);
    const all = given;
    const rows = await house.rows(work);
    expect(rows).toEqual(await house.cleanFold(accountsV1, work));
    expect(released).toBe(all);
  });

  it('are kept from an event on that stands aside', async () => {
    await house.append(history(500, { accounts: 20, seed: 4 }));
    await house.append([{ account: 'a1', type: Paid, data: { cents: 0.5, kind: 'k', to: 'b' } }]);
    const work = await house.newBuild(accountsV1);
    await house.rebuild({ works: [work], batchRecords: 20 });
    expect(await house.letters(work)).toHaveLength(1);
    expect(released).toBeGreaterThan(0);
    expect(released).toBeLessThan(given);
  });

  it('may be held by events of another codec than JSON, and of a topic that others write to', async () => {
    const build = (await house.newBuild(accountsV1)).build;
    const codec = { ...jsonCodec };
    expect(buildWork(house.database.schema, build, accountsV1, jsonCodec).plan.mayHoldBytes).toBe(false);
    expect(buildWork(house.database.schema, build, accountsV1, codec).plan.mayHoldBytes).toBe(true);
    expect(buildWork(house.database.schema, build, ofOthers, jsonCodec).plan.mayHoldBytes).toBe(true);
  });
});
