import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openHouse, type House } from './house.js';
import { history, recordOf } from './happenings.js';
import { Accounts, accountsV1, kindsV1, Noted, Opened, Paid, PARTITIONS } from './ledger.js';
import { BatchPart } from '../../../src/modules/projections/runner/batch-part.js';
import { foldBatch } from '../../../src/modules/projections/runner/fold-batch.js';
import { partitionOf } from '../../../src/kernel/partitioner.js';
import type { PartitionKey } from '../../../src/kernel/position.js';

const keys = Array.from({ length: PARTITIONS }, (_, partition): PartitionKey => `accounts/${partition}`);

describe('owners of partitions', () => {
  let house: House;
  beforeEach(async () => {
    house = await openHouse();
  });
  afterEach(() => house.stop());

  it('a former owner writes nothing: its epoch is fenced before any row is touched', async () => {
    const work = await house.newBuild(accountsV1);
    await house.rebuild({ works: [work] });
    await house.append(history(400));
    const [zombie] = await house.builds.claim(work.build.id, ['accounts/0']);
    await house.builds.claim(work.build.id, ['accounts/0']);
    const before = await house.rows(work);
    let refused = 0;
    for await (const batch of house.log.read({
      from: { 'accounts/0': 0 },
      to: { 'accounts/0': (await house.log.offsets(accountsV1.from[0]!.name))[0]!.end },
    })) {
      const move = { topic: 'accounts', partition: 0, epoch: zombie!.epoch, from: 0, to: batch.next };
      const part = new BatchPart(move, batch.records);
      expect(await foldBatch(house.database, house.builds, work, [part])).toBe('fenced');
      refused += 1;
    }
    expect(refused).toBeGreaterThan(0);
    expect(await house.rows(work)).toEqual(before);
  });

  it('a former owner whose fold fails over rows that were moved on is fenced: the record is at no fault', async () => {
    const openedOnce = Accounts.on(Opened, (row, e) => {
      if (row) throw new Error(`${row.id} is open already`);
      return { id: e.stream.id, owner: e.data.owner, cents: 0n, payments: 0, last: e.occurredAt };
    });
    const work = await house.newBuild(openedOnce);
    await house.rebuild({ works: [work] });
    await house.append([{ account: 'a1', type: Opened, data: { owner: 'one' } }]);
    const partition = partitionOf('a1', PARTITIONS);
    const key: PartitionKey = `accounts/${partition}`;
    const [zombie] = await house.builds.claim(work.build.id, [key]);
    const [owner] = await house.builds.claim(work.build.id, [key]);
    for await (const { records, next: to } of house.log.read({ from: { [key]: 0 }, to: { [key]: 1 } })) {
      const part = (epoch: number) => new BatchPart({ topic: 'accounts', partition, epoch, from: 0, to }, records);
      expect(await foldBatch(house.database, house.builds, work, [part(owner!.epoch)])).toBe('advanced');
      expect(await foldBatch(house.database, house.builds, work, [part(zombie!.epoch)])).toBe('fenced');
    }
    expect(await house.rows(work)).toHaveLength(1);
  });

  it('the rightful owner that loses its epochs to a late claim claims again and goes on', async () => {
    const work = await house.newBuild(kindsV1);
    await house.rebuild({ works: [work] });
    house.follow(work);
    await house.reached(work, await house.append(history(100, { seed: 1 })));
    for (let round = 0; round < 5; round++) {
      await house.builds.claim(work.build.id, keys);
      await house.reached(work, await house.append(history(100, { seed: 10 + round })));
    }
    expect(await house.rows(work)).toEqual(await house.cleanFold(kindsV1, work));
  });

  it('a rebuild and a live runner on one build keep each other out by epochs', async () => {
    const other = await house.another();
    await house.append(history(3_000, { seed: 2 }));
    const work = await house.newBuild(kindsV1);
    await house.builds.move(work.build.id, 'building');
    await work.table.create(house.database);
    await work.table.createKey(house.database);
    other.follow(other.work(work.build, kindsV1));
    await house.rebuild({ works: [work], checkpointMs: 0 });
    await house.reached(work, await house.append(history(200, { seed: 3 })));
    expect(await house.rows(work)).toEqual(await house.cleanFold(kindsV1, work));
  });

  it('holds where it is told to, while others read, and goes on when it is freed', async () => {
    const work = await house.newBuild(accountsV1);
    await house.rebuild({ works: [work] });
    await house.append(history(400, { seed: 4 }));
    const hold = 7;
    await house.database.query(
      `update progress set hold_at = $2, hold_until = clock_timestamp() + interval '20 s' where build_id = $1`,
      [work.build.id, hold],
    );
    house.follow(work);
    await house.reached(work, Object.fromEntries(keys.map((key) => [key, hold])));
    const later = await house.append(history(400, { seed: 5 }));
    await house.looked(5);
    expect((await house.builds.progress(work.build.id)).map((line) => line.nextOffset)).toEqual(keys.map(() => hold));
    await house.database.query('update progress set hold_at = null, hold_until = null where build_id = $1', [work.build.id]);
    await house.reached(work, later);
    expect(await house.rows(work)).toEqual(await house.cleanFold(accountsV1, work));
  });

  it('moves progress over events that nobody handles, but not with a commit for each', async () => {
    const work = await house.newBuild(kindsV1);
    await house.rebuild({ works: [work] });
    const runner = house.follow(work);
    await house.assigned(PARTITIONS);
    const commits = await house.countCommits();
    let position = {};
    for (let n = 0; n < 60; n++) {
      position = await house.append(history(7, { seed: n }).slice(6));
      await house.given(position);
    }
    await house.reached(work, position);
    expect(await commits()).toBeLessThan(30);
    expect(runner.failed).toBe(false);
  });

  it('parses no event that nobody handles: one that is no JSON is in nobody’s way, live or in a rebuild', async () => {
    const note = recordOf({ account: 'a1', type: Noted, data: {} }, 1);
    const unreadable = { ...note, value: Buffer.from('no JSON') };
    const payments = history(40).filter(({ type }) => type === Paid);
    await house.append(payments);
    await house.appendRecords([unreadable]);
    const work = await house.newBuild(kindsV1);
    await house.rebuild({ works: [work] });
    const runner = house.follow(work);
    await house.appendRecords([unreadable]);
    await house.reached(work, await house.append(payments));
    expect(runner.failed).toBe(false);
    expect(await house.letters(work)).toEqual([]);
    expect(await house.rows(work)).toEqual(await house.cleanFold(kindsV1, work));
    const handled = await house.appendRecords([{ ...unreadable, headers: recordOf(payments[0]!, 1).headers }]);
    await house.reached(work, handled);
    expect(await house.letters(work)).toHaveLength(1);
  });
});
