import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { BatchPart } from '../../../src/modules/projections/runner/batch-part.js';
import { foldBatch, type BuildWork } from '../../../src/modules/projections/runner/fold-batch.js';
import { openHouse, type House } from './house.js';
import type { Happening } from './happenings.js';
import { accounts, accountsV1, Closed, flowsV1, kindsV1, Noted, Opened, Paid } from './ledger.js';

const account = fc.integer({ min: 0, max: 5 }).map((n) => `a${n}`);
const happening: fc.Arbitrary<Happening> = account.chain((of) =>
  fc.oneof(
    { weight: 2, arbitrary: fc.constant<Happening>({ account: of, type: Opened, data: { owner: 'x\ty\\z"\n' } }) },
    { weight: 2, arbitrary: fc.constant<Happening>({ account: of, type: Closed, data: {} }) },
    { weight: 1, arbitrary: fc.constant<Happening>({ account: of, type: Noted, data: { text: '' } }) },
    {
      weight: 5,
      arbitrary: fc
        .record({ cents: fc.integer({ min: 1, max: 3 }), kind: fc.constantFrom('k0', 'k1'), to: account })
        .map((data): Happening => ({ account: of, type: Paid, data })),
    },
  ),
);
const histories = fc.array(happening, { minLength: 1, maxLength: 150 });
const definitions = [accountsV1, kindsV1, flowsV1];

describe('the fast paths', () => {
  let house: House;
  beforeEach(async () => {
    house = await openHouse();
  });
  afterEach(() => house.stop());

  /** One event a transaction: the slow path that says what is right. */
  const eventByEvent = async (work: BuildWork): Promise<void> => {
    const keys = (await house.builds.progress(work.build.id)).map(({ partition }) => `accounts/${partition}` as const);
    const ends = await house.log.offsets(accounts.name);
    for (const { topic, partition, epoch, nextOffset } of await house.builds.claim(work.build.id, keys)) {
      const end = ends[partition]?.end ?? 0;
      const key = `accounts/${partition}` as const;
      if (end === nextOffset) continue;
      let from = nextOffset;
      for await (const { records, next } of house.log.read({ from: { [key]: from }, to: { [key]: end }, maxBatchRecords: 1 })) {
        const part = new BatchPart({ topic, partition, epoch, from, to: next }, records);
        expect(await foldBatch(house.database, house.builds, work, [part])).toBe('advanced');
        from = next;
      }
    }
  };

  const newBuilds = () => Promise.all(definitions.map((definition) => house.newBuild(definition)));

  it('write what the slow path writes, on random histories with deletes and re-creations across flushes', async () => {
    const slow = await newBuilds();
    const live = await newBuilds();
    await house.rebuild({ works: [...slow, ...live] });
    for (const work of live) house.follow(work);
    await fc.assert(
      fc.asyncProperty(histories, fc.integer({ min: 1, max: 30 }), async (happenings, batchRecords) => {
        const position = await house.append(happenings);
        // With next to no memory every batch is written and every row forgotten: no flush knows what the one before it wrote.
        const [forgetful, checkpointing, roomy] = [await newBuilds(), await newBuilds(), await newBuilds()];
        await house.rebuild({ works: forgetful, memoryMb: 0.000_1, batchRecords });
        await house.rebuild({ works: checkpointing, checkpointMs: 0, batchRecords });
        await house.rebuild({ works: roomy });
        for (const [i, work] of slow.entries()) {
          await eventByEvent(work);
          const right = await house.rows(work);
          for (const fast of [forgetful, checkpointing, roomy]) expect(await house.rows(fast[i] as BuildWork)).toEqual(right);
          await house.reached(live[i] as BuildWork, position);
          expect(await house.rows(live[i] as BuildWork)).toEqual(right);
        }
      }),
      { numRuns: 8, endOnFailure: true },
    );
  }, 60_000);
});
