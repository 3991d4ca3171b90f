import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { partitionOf } from '../../../src/kernel/partitioner.js';
import type { LogBatch, PollOptions } from '../../../src/log/event-log.js';
import { LiveRunner } from '../../../src/modules/projections/runner/live-runner.js';
import { OwnedPartitions } from '../../../src/modules/projections/runner/owned-partitions.js';
import { verifyBuilds } from '../../../src/modules/projections/verify/verify-builds.js';
import { openHouse, type House } from './house.js';
import { accountsV1, kindsV1, Opened, Paid, PARTITIONS } from './ledger.js';

const ALL = Array.from({ length: PARTITIONS }, (_, partition) => partition);

function accountIn(partition: number): string {
  for (let n = 0; ; n += 1) if (partitionOf(`x${n}`, PARTITIONS) === partition) return `x${n}`;
}

const paid = (partition: number, times: number) =>
  Array.from({ length: times }, () => ({
    account: accountIn(partition),
    type: Paid,
    data: { cents: 1, kind: 'k', to: 'b' },
  }));

describe('a runner that is far behind', () => {
  let house: House;
  const runners: LiveRunner[] = [];
  beforeEach(async () => {
    house = await openHouse();
    await house.append(ALL.map((partition) => ({ account: accountIn(partition), type: Opened, data: { owner: 'o' } })));
  });
  afterEach(async () => {
    await Promise.all(runners.splice(0).map((runner) => runner.stop()));
    await house.stop();
  });

  /** Follows with the sizes of production; `polled` is told each poll. */
  function follow(work: LiveRunner['work'], polled: (options: PollOptions) => void): LiveRunner {
    const join = house.log.join.bind(house.log);
    house.log.join = async (options) => {
      const member = await join(options);
      const poll = member.poll.bind(member);
      member.poll = (wish = {}) => {
        polled(wish);
        return poll(wish);
      };
      return member;
    };
    const { database, progress, logger, builds, log } = house;
    // On a machine of any speed its batches are quick.
    const runner = new LiveRunner({ database, progress, logger, builds, log, elapsed: () => 0 }, work);
    runners.push(runner);
    runner.start();
    return runner;
  }

  it('takes larger batches the longer it is behind, and small ones once it has drawn level', async () => {
    const work = await house.newBuild(accountsV1);
    await house.rebuild({ works: [work] });
    const sizes = new Set<number>();
    const position = await house.append(paid(0, 40_000));
    follow(work, ({ maxRecords = 0 }) => sizes.add(maxRecords));
    await house.reached(work, position);
    expect(sizes.size).toBeGreaterThan(1);
    sizes.clear();
    await house.reached(work, await house.append(paid(0, 1)));
    expect([...sizes]).toEqual([5_000]);
    expect(await house.rows(work)).toEqual(await house.cleanFold(accountsV1, work));
  });

  it('begins anew with small batches after one that has failed: it may have been too large', async () => {
    const work = await house.newBuild(accountsV1);
    await house.rebuild({ works: [work] });
    const sizes: number[] = [];
    let failedAt = -1;
    const position = await house.append(paid(0, 40_000));
    const tooLong = (): Error => Object.assign(new Error('it took too long'), { code: '57014' });
    const advanceAndWrite = house.builds.advanceAndWrite.bind(house.builds);
    house.builds.advanceAndWrite = async (...given) => {
      if (failedAt < 0 && (sizes.at(-1) ?? 0) > 5_000) {
        failedAt = sizes.length;
        throw tooLong();
      }
      return advanceAndWrite(...given);
    };
    const advance = house.builds.advance.bind(house.builds);
    house.builds.advance = async (...given) => {
      if (failedAt === sizes.length) throw tooLong();
      return advance(...given);
    };
    follow(work, ({ maxRecords = 0 }) => sizes.push(maxRecords));
    await house.reached(work, position);
    // The first after it asks only whether the partitions are still assigned.
    expect(sizes.slice(failedAt, failedAt + 2)).toEqual([1, 5_000]);
  });

  it('takes small batches where rows are shared: they are folded while locks of others are held', async () => {
    const work = await house.newBuild(kindsV1);
    await house.rebuild({ works: [work] });
    const sizes = new Set<number>();
    const position = await house.append(paid(0, 20_000));
    follow(work, ({ maxRecords = 0 }) => sizes.add(maxRecords));
    await house.reached(work, position);
    expect([...sizes]).toEqual([5_000]);
  });

  it('reads what a comparison waits for, though much more stands beyond where it holds', async () => {
    const live = await house.newBuild(accountsV1);
    const candidate = await house.newBuild(accountsV1);
    await house.rebuild({ works: [live] });
    await house.rebuild({ works: [candidate] });
    const position = await house.append(paid(7, 5_200));
    const runner = follow(live, () => undefined);
    await house.reached(live, position);
    await runner.stop();
    for (const partition of ALL) await house.append(paid(partition, 5_200));
    const [one, other] = await Promise.all([live, candidate].map(({ build }) => house.builds.get(build.id)));
    const verifying = verifyBuilds({ database: house.database }, one!, other!, {});
    await expect.poll(() => house.builds.progress(candidate.build.id)).toContainEqual(expect.objectContaining({ holdAt: 1 }));
    follow(candidate, () => undefined);
    await expect(verifying).resolves.toMatchObject({ changed: 0, added: 0, removed: 0 });
  });
});

describe('whether a runner is behind', () => {
  const batch = (partition: number, next: number, end: number) =>
    ({ topic: 't', partition, records: [], next, end }) as unknown as LogBatch;
  const owned = (): OwnedPartitions => {
    const partitions = new OwnedPartitions();
    partitions.take([0, 1].map((partition) => ({ topic: 't', partition, nextOffset: 5, epoch: 1, holdAt: null })));
    return partitions;
  };

  it('is known of all its partitions, also of those that the last poll did not read', () => {
    const partitions = owned();
    expect(partitions.isBehindAfter([])).toBe(false);
    expect(partitions.isBehindAfter([batch(0, 7, 7), batch(1, 6, 9)])).toBe(true);
    partitions.scannedTo(partitions.parts([batch(0, 7, 7), batch(1, 6, 9)]).parts);
    expect(partitions.isBehindAfter([batch(0, 8, 8)])).toBe(true);
    partitions.scannedTo(partitions.parts([batch(0, 8, 8)]).parts);
    expect(partitions.isBehindAfter([batch(1, 9, 9)])).toBe(false);
  });

  it('is forgotten with a partition', () => {
    const partitions = owned();
    expect(partitions.isBehindAfter([batch(1, 6, 9)])).toBe(true);
    partitions.drop(['t/1']);
    expect(partitions.isBehindAfter([batch(0, 7, 7)])).toBe(false);
  });
});
