import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { topicName } from '../../src/kernel/names.js';
import { topic } from '../../src/kernel/topic.js';
import type { Build } from '../../src/modules/projections/build.js';
import { projection } from '../../src/modules/projections/projection.js';
import { Readiness } from '../../src/modules/projections/runner/readiness.js';
import { swapBuilds } from '../../src/modules/projections/swap/swap-builds.js';
import { verifyBuilds } from '../../src/modules/projections/verify/verify-builds.js';
import { history } from './engines/happenings.js';
import { openHouse, type House } from './engines/house.js';
import { accounts, KindRow, kindsV1, Paid } from './engines/ledger.js';

/** The same events in one more topic, which only version 2 reads. */
const branch = topic('branch', { partitions: 2, events: accounts.events });
const kindsV2 = projection({ name: 'kinds', version: 2, from: [accounts, branch], table: KindRow }).on(
  Paid,
  { key: (e) => ({ kind: e.data.kind }) },
  (row, e, { kind }) => ({ kind, cents: (row?.cents ?? 0n) + BigInt(e.data.cents), payments: (row?.payments ?? 0) + 1 }),
);

describe('beside a live build', { timeout: 30_000 }, () => {
  let house: House;
  let live: Build;
  beforeEach(async () => {
    house = await openHouse();
    await house.append(history(200));
    const work = await house.newBuild(kindsV1, { swapWhenReady: true });
    await house.rebuild({ works: [work] });
    live = await house.live('kinds');
  });
  afterEach(() => house.stop());

  /** As it stands when the log was set up anew after the live build had read far into the former one. */
  const liveIsOfFormerLog = (column: 'topic_incarnation' | 'log_cluster'): Promise<unknown> =>
    house.database.query(`update progress set ${column} = 'former', next_offset = 1000000 where build_id = $1`, [live.id]);

  it.each(['topic_incarnation', 'log_cluster'] as const)(
    'of another log (%s) a new one is ready at the end of the log, and is swapped to: the positions of the former log are no bar',
    async (column) => {
      await liveIsOfFormerLog(column);
      const work = await house.newBuild(kindsV1);
      await house.rebuild({ works: [work] });
      expect(await house.builds.get(work.build.id)).toMatchObject({ state: 'ready' });
      const [swapped] = await swapBuilds(house, [(await house.builds.get(work.build.id))!]);
      expect(swapped).toMatchObject({ from: { id: live.id }, to: { id: work.build.id } });
    },
  );

  it('of another log a standby one that has stopped for that is gone back to only knowingly', async () => {
    await liveIsOfFormerLog('log_cluster');
    const work = await house.newBuild(kindsV1);
    await house.rebuild({ works: [work] });
    await swapBuilds(house, [(await house.builds.get(work.build.id))!]);
    const stopped = {
      code: 'KAPPA_LOG_CHANGED',
      message: 'another log',
      stack: null,
      at: null,
      since: new Date().toISOString(),
    };
    await house.database.query('update builds set error = $2 where id = $1', [live.id, JSON.stringify(stopped)]);
    const back = (await house.builds.get(live.id))!;
    await expect(swapBuilds(house, [back], { action: 'rollback' })).rejects.toMatchObject({ code: 'KAPPA_BUILD_BEHIND' });
    expect((await house.live('kinds')).id).toBe(work.build.id);
    const [swapped] = await swapBuilds(house, [back], { action: 'rollback', stale: true });
    expect(swapped).toMatchObject({ to: { id: live.id } });
  });

  it('a runner that is given positions beyond the end of the log stops and says so, and has lost nothing', async () => {
    const other = await house.another();
    const work = house.work(live, kindsV1);
    const first = house.follow(work);
    await house.assigned(8);
    // It never reads the partitions that the first one keeps, and meets what is stored of them when it takes them over.
    const second = other.follow(work);
    await other.assigned(4);
    await house.assigned(4);
    const kept = first.assignment.map((key) => Number(key.split('/')[1]));
    await house.database.query(
      'update progress set next_offset = next_offset + 1000000 where build_id = $1 and partition = any($2::int[])',
      [live.id, kept],
    );
    const before = await house.standsAt(work);
    await first.stop();
    await second.done;
    expect(second.failed).toBe(true);
    expect(await house.builds.get(live.id)).toMatchObject({
      state: 'live',
      error: { code: 'KAPPA_LOG_CHANGED', message: expect.stringContaining('lies beyond the end') as string },
    });
    expect(await house.standsAt(work)).toEqual(before);
  });

  it('of another log a new one is not compared, for there is no common position', async () => {
    await liveIsOfFormerLog('topic_incarnation');
    const work = await house.newBuild(kindsV1);
    await house.rebuild({ works: [work] });
    await expect(verifyBuilds(house, live, work.build)).rejects.toMatchObject({ code: 'KAPPA_VERIFY_OTHER_LOG' });
  });

  it('a version that reads one more topic is ready only when it has read that topic to its end', async () => {
    await house.log.createTopic({ name: topicName('branch'), partitions: 2, retention: null });
    await house.appendRecords(
      [0, 1].map((partition) => ({ topic: topicName('branch'), partition, key: null, value: Buffer.from('{}'), headers: {} })),
    );
    const work = await house.newBuild(kindsV2);
    const { id } = work.build;
    await house.builds.move(id, 'building');
    await house.builds.move(id, 'catching-up');
    await house.database.query(
      `update progress p set next_offset = l.next_offset from progress l
       where p.build_id = $1 and l.build_id = $2 and l.topic = p.topic and l.partition = p.partition`,
      [id, live.id],
    );
    const readiness = new Readiness(house, () => Promise.resolve());
    const look = async () => (await readiness.look((await house.builds.get(id))!)).state;
    expect(await look()).toBe('catching-up');
    await house.database.query(`update progress set next_offset = 1 where build_id = $1 and topic = 'branch'`, [id]);
    expect(await look()).toBe('ready');
  });
});
