import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { partitionOf } from '../../../src/kernel/partitioner.js';
import type { PartitionKey } from '../../../src/kernel/position.js';
import { RowWindow } from '../../../src/modules/projections/fold/row-window.js';
import { BatchPart } from '../../../src/modules/projections/runner/batch-part.js';
import { foldBatch } from '../../../src/modules/projections/runner/fold-batch.js';
import { KeptRows } from '../../../src/modules/projections/runner/kept-rows.js';
import { history } from './happenings.js';
import { openHouse, type House } from './house.js';
import { accountsV1, Opened, Paid, PARTITIONS } from './ledger.js';

describe('rows that a runner keeps while it is behind', () => {
  let house: House;
  beforeEach(async () => {
    house = await openHouse();
  });
  afterEach(() => house.stop());

  it('are read anew where another owner had their partition meanwhile', async () => {
    const work = await house.newBuild(accountsV1);
    await house.rebuild({ works: [work] });
    const position = await house.append(history(3_000, { seed: 5 }));
    house.follow(work);
    for (let round = 0; round < 8; round++) {
      await house.assigned(PARTITIONS);
      const guest = house.follow(work);
      await expect.poll(() => guest.assignment.length, { interval: 1 }).toBeGreaterThan(0);
      await guest.stop();
    }
    await house.reached(work, position);
    expect(await house.rows(work)).toEqual(await house.cleanFold(accountsV1, work));
  });

  it('are gone with a batch that was fenced, and not read while batches are committed', async () => {
    const work = await house.newBuild(accountsV1);
    await house.rebuild({ works: [work] });
    await house.append([
      { account: 'a1', type: Opened, data: { owner: 'one' } },
      { account: 'a1', type: Paid, data: { cents: 1, kind: 'k0', to: 'a2' } },
      { account: 'a1', type: Paid, data: { cents: 1, kind: 'k0', to: 'a2' } },
    ]);
    const partition = partitionOf('a1', PARTITIONS);
    const key: PartitionKey = `accounts/${partition}`;
    const kept = new KeptRows();
    kept.keeping = true;
    let owner = (await house.builds.claim(work.build.id, [key]))[0]!;
    const outcomes: string[] = [];
    for await (const { records, next } of house.log.read({ from: { [key]: 0 }, to: { [key]: 3 }, maxBatchRecords: 1 })) {
      const from = next - 1;
      const part = new BatchPart({ topic: 'accounts', partition, epoch: owner.epoch, from, to: next }, records);
      outcomes.push(await foldBatch(house.database, house.builds, work, [part], null, { rows: kept, plans: null }));
      const rows = kept.take();
      expect([...rows.entries.values()].map(({ known, dirty }) => ({ known, dirty }))).toEqual(
        from < 2 ? [{ known: true, dirty: false }] : [],
      );
      if (from < 2) kept.keep(rows, work.table.codec);
      if (from === 1) await house.builds.claim(work.build.id, [key]);
    }
    expect(outcomes).toEqual(['advanced', 'advanced', 'fenced']);
    owner = (await house.builds.claim(work.build.id, [key]))[0]!;
    expect(owner.nextOffset).toBe(2);
    expect(await house.rows(work)).toMatchObject([{ id: 'a1', payments: 1 }]);
  });

  it('are not kept by a runner that has caught up', () => {
    const kept = new KeptRows();
    const rows = kept.take();
    rows.beginBatch();
    rows.touch('a', { id: 'a' });
    kept.keep(rows, { bytesOf: () => 100 });
    expect(kept.take().entries.size).toBe(0);
  });

  it('have keys of their own, which no fold can change, in production neither', () => {
    const given = { id: 'a' };
    const { key } = new RowWindow(true).touch('a', given);
    given.id = 'b';
    expect(key).toEqual({ id: 'a' });
    expect(Object.isFrozen(key)).toBe(true);
  });

  it('take no more memory than they may: those go that were known first', () => {
    const rows = new RowWindow(true);
    for (const id of ['a', 'b', 'c', 'd']) {
      rows.beginBatch();
      rows.touch(id, { id }).row = { id };
      rows.measure({ bytesOf: () => 1_000 });
    }
    const { bytes } = rows;
    rows.shrink(bytes / 2);
    expect([...rows.entries.keys()]).toEqual(['c', 'd']);
    expect(rows.bytes).toBe(bytes / 2);
  });
});
