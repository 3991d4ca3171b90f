import { afterEach, beforeEach, expect, it } from 'vitest';
import type { Database } from '../../../src/database/database.js';
import { partitionOf } from '../../../src/kernel/partitioner.js';
import type { PartitionKey } from '../../../src/kernel/position.js';
import { BatchPart } from '../../../src/modules/projections/runner/batch-part.js';
import { foldBatch } from '../../../src/modules/projections/runner/fold-batch.js';
import { someoneWaitsForALock } from '../swap-scene.js';
import { openHouse, type House } from './house.js';
import { kindsV1, Paid, PARTITIONS } from './ledger.js';

let house: House;
beforeEach(async () => {
  house = await openHouse();
});
afterEach(() => house.stop());

it('a row that two partitions change at once has the changes of both', async () => {
  const accounts = Array.from({ length: 100 }, (_, n) => `a${n}`);
  const [one] = accounts;
  const other = accounts.find((account) => partitionOf(account, PARTITIONS) !== partitionOf(one!, PARTITIONS));
  const pair = [one!, other!];
  const work = await house.newBuild(kindsV1);
  await house.rebuild({ works: [work] });
  await house.append(pair.map((account) => ({ account, type: Paid, data: { kind: 'fine', cents: 5 } })));
  const parts = await Promise.all(pair.map((account) => partOf(work.build.id, partitionOf(account, PARTITIONS))));
  // The first has read and written when the second comes, and commits when that one waits for it.
  let written = (): void => undefined;
  const hasWritten = new Promise<void>((resolve) => (written = resolve));
  const slow: Pick<Database, 'transaction' | 'query'> = {
    query: house.database.query.bind(house.database),
    transaction: (change) =>
      house.database.transaction(async (on) => {
        const result = await change(on);
        written();
        await someoneWaitsForALock(house.database);
        return result;
      }),
  };
  const first = foldBatch(slow, house.builds, work, [parts[0]!]);
  await hasWritten;
  const second = foldBatch(house.database, house.builds, work, [parts[1]!]);
  expect(await Promise.all([first, second])).toEqual(['advanced', 'advanced']);
  expect(await house.rows(work)).toMatchObject([{ kind: 'fine', cents: 10n, payments: 2 }]);
});

async function partOf(build: number, partition: number): Promise<BatchPart> {
  const key: PartitionKey = `accounts/${partition}`;
  const [claim] = await house.builds.claim(build, [key]);
  for await (const { records, next: to } of house.log.read({ from: { [key]: 0 }, to: { [key]: 1 } }))
    return new BatchPart({ topic: 'accounts', partition, epoch: claim!.epoch, from: 0, to }, records);
  throw new Error(`nothing stands in ${key}`);
}
