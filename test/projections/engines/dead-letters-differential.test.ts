import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { applySettingAside } from '../../../src/modules/projections/dead-letters/apply-setting-aside.js';
import { BuildLetters } from '../../../src/modules/projections/dead-letters/build-letters.js';
import type { ProjectionDefinition } from '../../../src/modules/projections/projection.js';
import { BatchPart } from '../../../src/modules/projections/runner/batch-part.js';
import { foldBatch, type BuildWork } from '../../../src/modules/projections/runner/fold-batch.js';
import type { Happening } from './happenings.js';
import { openHouse, type House } from './house.js';
import { accounts, accountsV1, Closed, flowsV1, Kinds, kindsV1, Noted, Opened, Paid } from './ledger.js';
import { ask, open, poison, poisoned, told } from './poison.js';

const account = fc.integer({ min: 0, max: 5 }).map((n) => `a${n}`);
const happening: fc.Arbitrary<Happening> = account.chain((of) =>
  fc.oneof(
    { weight: 2, arbitrary: fc.constant<Happening>({ account: of, type: Opened, data: { owner: 'x' } }) },
    { weight: 2, arbitrary: fc.constant<Happening>({ account: of, type: Closed, data: {} }) },
    { weight: 1, arbitrary: fc.constant<Happening>({ account: of, type: Noted, data: { text: '' } }) },
    { weight: 1, arbitrary: fc.constant(poison(of)) },
    {
      weight: 6,
      arbitrary: fc
        .record({ cents: fc.integer({ min: 1, max: 3 }), kind: fc.constantFrom('k0', 'k1'), to: account })
        .map((data): Happening => ({ account: of, type: Paid, data })),
    },
  ),
);
const histories = fc.array(happening, { minLength: 1, maxLength: 100 });

const QUICKLY = { retries: 0, maxLetters: 100_000 };
let corrected = false;
const fails = (event: { readonly data: unknown }): boolean => !corrected && (event.data as { cents?: number }).cents === 666;
const raw = Kinds.raw(Paid, async ({ transaction, table }, e) => {
  await transaction.query(
    `insert into ${table} as t (kind, cents, payments) values ($1, 0, 1) on conflict (kind) do update set payments = t.payments + 1`,
    [e.data.kind],
  );
  if (fails(e)) throw new Error('cannot be taken in');
});
const folds: readonly ProjectionDefinition[] = [accountsV1, kindsV1, flowsV1];
const definitions: readonly ProjectionDefinition[] = [
  ...folds.map((definition) => poisoned(definition, fails, QUICKLY)),
  { ...raw, deadLetters: QUICKLY },
];

describe('dead letters', () => {
  let house: House;
  beforeEach(async () => {
    corrected = false;
    house = await openHouse();
  });
  afterEach(() => house.stop());

  /** One event a transaction: the slow path that says what is right. */
  const eventByEvent = async (work: BuildWork): Promise<void> => {
    const keys = (await house.builds.progress(work.build.id)).map(({ partition }) => `accounts/${partition}` as const);
    const ends = await house.log.offsets(accounts.name);
    const letters = new BuildLetters(house, work);
    const claims = await house.builds.claim(work.build.id, keys);
    await letters.load(keys);
    for (const { topic, partition, epoch, nextOffset } of claims) {
      const end = ends[partition]?.end ?? 0;
      const key = `accounts/${partition}` as const;
      if (end === nextOffset) continue;
      let from = nextOffset;
      for await (const { records, next } of house.log.read({ from: { [key]: from }, to: { [key]: end }, maxBatchRecords: 1 })) {
        const part = new BatchPart({ topic, partition, epoch, from, to: next }, records);
        const apply = (parts: Parameters<typeof foldBatch>[3]) => foldBatch(house.database, house.builds, work, parts, letters);
        await applySettingAside(apply, letters, [part], new AbortController().signal);
        from = next;
      }
    }
  };

  const newBuilds = () => Promise.all(definitions.map((definition) => house.newBuild(definition)));

  it('and tables are the same live, in every kind of rebuild and event by event, on random histories, before and after a retry', async () => {
    const slow = await newBuilds();
    const live = await newBuilds();
    await house.rebuild({ works: [...slow, ...live] });
    for (const work of live) house.follow(work);
    await fc.assert(
      fc.asyncProperty(histories, fc.integer({ min: 1, max: 30 }), async (happenings, batchRecords) => {
        const position = await house.append(happenings);
        const [forgetful, checkpointing, roomy] = [await newBuilds(), await newBuilds(), await newBuilds()];
        await house.rebuild({ works: forgetful, memoryMb: 0.000_1, batchRecords });
        await house.rebuild({ works: checkpointing, checkpointMs: 0, batchRecords });
        await house.rebuild({ works: roomy });
        for (const [i, work] of slow.entries()) {
          await eventByEvent(work);
          await house.reached(live[i] as BuildWork, position);
          const right = { rows: await house.rows(work), letters: (await house.letters(work)).map(told) };
          for (const fast of [live, forgetful, checkpointing, roomy]) {
            const found = fast[i] as BuildWork;
            expect({ rows: await house.rows(found), letters: (await house.letters(found)).map(told) }).toEqual(right);
          }
          const fold = folds[i];
          if (fold) expect(right.rows).toEqual(await house.cleanFold(fold, work, undefined, open(await house.letters(work))));
        }
      }),
      { numRuns: 5, endOnFailure: true },
    );
    corrected = true;
    for (const [i, work] of live.entries()) {
      await ask(house, work, 'retry');
      await house.waiting(work, 0);
      const fold = folds[i];
      if (fold) expect(await house.rows(work)).toEqual(await house.cleanFold(fold, work));
    }
  }, 120_000);
});
