import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { RebuildProgress } from '../../../src/modules/projections/operations.js';
import { BulkBuild } from '../../../src/modules/projections/rebuild/bulk-build.js';
import { rebuildProjections } from '../../../src/modules/projections/rebuild/rebuild-projections.js';
import { TcpProxy } from '../../../src/testing/tcp-proxy.js';
import { history } from './happenings.js';
import { house as openHouseAt, openHouse, type House } from './house.js';
import { accountsV1, flowsV1, kindsV1 } from './ledger.js';

/** As the wire has it, with its end: "read committed" stands among the settings that a connection begins with. */
const COMMIT = 'commit\0';

describe('an outage', () => {
  let house: House;
  let proxy: TcpProxy;
  let far: House;
  beforeEach(async () => {
    house = await openHouse();
    proxy = await TcpProxy.start(house.url);
    far = await openHouseAt(proxy.url);
  });
  afterEach(async () => {
    proxy.heal();
    await far.stop();
    await proxy.stop();
    await house.stop();
  });

  it('of the database under live runners loses nothing: they say so, and go on by themselves', async () => {
    const definitions = [accountsV1, kindsV1, flowsV1];
    const works = await Promise.all(definitions.map((definition) => house.newBuild(definition)));
    await house.rebuild({ works });
    for (const [i, definition] of definitions.entries()) far.follow(far.work(works[i]!.build, definition));
    for (const work of works) await house.reached(work, await house.append(history(100, { seed: 1 })));
    for (let round = 0; round < 3; round++) {
      proxy.cut();
      const position = await house.append(history(300, { seed: 10 + round }));
      await far.said('trying again');
      proxy.heal();
      for (const work of works) await house.reached(work, position);
      await far.said('goes on');
      far.lines.length = 0;
    }
    for (const [i, definition] of definitions.entries()) {
      expect(await house.rows(works[i]!)).toEqual(await house.cleanFold(definition, works[i]!));
      expect(await house.builds.get(works[i]!.build.id)).toMatchObject({ error: null });
    }
  });

  it('between COMMIT and its answer doubles nothing: what is stored is looked up before anything is folded again', async () => {
    const work = await house.newBuild(kindsV1);
    await house.rebuild({ works: [work] });
    far.follow(far.work(work.build, kindsV1));
    for (let round = 0; round < 5; round++) {
      const lost = proxy.loseAnswerTo(COMMIT);
      await house.reached(work, await house.append(history(100, { seed: 20 + round })));
      await lost;
    }
    expect(await house.rows(work)).toEqual(await house.cleanFold(kindsV1, work));
  });

  it.each(['answer', 'statement'])(
    'at the one statement of a batch of owned rows loses and doubles nothing: its %s is lost',
    async (what) => {
      const work = await house.newBuild(accountsV1);
      await house.rebuild({ works: [work] });
      far.follow(far.work(work.build, accountsV1));
      for (let round = 0; round < 5; round++) {
        const lost = what === 'answer' ? proxy.loseAnswerTo('kappa_batch_write') : proxy.losePieceWith('kappa_batch_write');
        const first = await house.append(history(100, { seed: 60 + round }));
        await lost;
        const next = await house.append(history(10, { seed: 70 + round }));
        // Not all partitions of the first have one of the next.
        for (const position of [first, next]) await house.reached(work, position);
      }
      expect(await house.rows(work)).toEqual(await house.cleanFold(accountsV1, work));
    },
  );

  it('before COMMIT leaves nothing out: what was read and not stored is read again', async () => {
    const work = await house.newBuild(kindsV1);
    await house.rebuild({ works: [work] });
    far.follow(far.work(work.build, kindsV1));
    for (let round = 0; round < 5; round++) {
      const lost = proxy.losePieceWith(COMMIT);
      const first = await house.append(history(100, { seed: 40 + round }));
      await lost;
      const next = await house.append(history(10, { seed: 50 + round }));
      // Not all partitions of the first have one of the next.
      for (const position of [first, next]) await house.reached(work, position);
    }
    expect(await house.rows(work)).toEqual(await house.cleanFold(kindsV1, work));
  });

  it('of the database in the middle of a rebuild stops nothing: it goes on from its checkpoint', async () => {
    await house.append(history(4_000, { seed: 2 }));
    const works = await Promise.all([accountsV1, flowsV1].map((definition) => house.newBuild(definition)));
    const there = [far.work(works[0]!.build, accountsV1), far.work(works[1]!.build, flowsV1)];
    const rebuilt = far.rebuild({ works: there, checkpointMs: 0, maxEventsPerSecond: 4_000, leaseMs: 500, batchRecords: 100 });
    for (let round = 0; round < 3; round++) {
      await house.movedOn(works[0]!);
      proxy.cut();
      await far.said('goes on from its checkpoint');
      far.lines.length = 0;
      proxy.heal();
    }
    await rebuilt;
    for (const [i, definition] of [accountsV1, flowsV1].entries()) {
      expect(await house.rows(works[i]!)).toEqual(await house.cleanFold(definition, works[i]!));
      expect(await house.builds.get(works[i]!.build.id)).toMatchObject({ state: 'ready', error: null });
    }
  });

  it.each([
    ['into the table', '\towner of '],
    ['out of the log', '{"owner":'],
  ])('in the middle of a COPY %s stops nothing', async (_, text) => {
    await house.append(history(4_000, { seed: 4 }));
    const work = await house.newBuild(accountsV1);
    const lost = proxy.losePieceWith(text);
    await far.rebuild({ works: [far.work(work.build, accountsV1)] });
    await lost;
    expect(await house.builds.get(work.build.id)).toMatchObject({ state: 'ready', error: null });
    expect(await house.rows(work)).toEqual(await house.cleanFold(accountsV1, work));
    expect(far.lines.filter((line) => line.includes('goes on from its checkpoint'))).toHaveLength(1);
  });

  it('before the COMMIT of a rebuild leaves its rows to be written, and none is left out', async () => {
    const to = await house.append(history(2_000, { seed: 5 }));
    const work = await house.newBuild(kindsV1);
    await house.builds.move(work.build.id, 'building');
    await work.table.create(house.database);
    const bulk = new BulkBuild(far, far.work(work.build, kindsV1));
    await bulk.claim();
    const from = Object.fromEntries(Object.keys(to).map((key) => [key, 0]));
    for await (const batch of house.log.read({ from, to, maxBatchRecords: 300 })) {
      await bulk.take(batch, null, new AbortController().signal);
      const lost = proxy.losePieceWith(COMMIT);
      await expect(bulk.write()).rejects.toThrow();
      await lost;
      await bulk.write();
    }
    expect(await house.standsAt(work)).toMatchObject(to);
    expect(await house.rows(work)).toEqual(await house.cleanFold(kindsV1, work));
  });

  it('of a process that builds lets another take over, which told of its progress meanwhile', async () => {
    await house.append(history(4_000, { seed: 3 }));
    const work = await house.newBuild(accountsV1);
    const paced = { checkpointMs: 0, maxEventsPerSecond: 2_000, leaseMs: 500, batchRecords: 100 };
    const stop = new AbortController();
    const first = far.rebuild({ works: [far.work(work.build, accountsV1)], ...paced, signal: stop.signal });
    await house.movedOn(work);
    const told: RebuildProgress[] = [];
    for await (const step of rebuildProjections(house, { works: [work], ...paced })) {
      told.push(step);
      if (step.phase === 'waiting') stop.abort();
    }
    await first;
    expect(told[0]).toMatchObject({ phase: 'waiting', projection: 'accounts', version: 1 });
    expect(told.some((step) => step.phase === 'building' && step.events > 0 && step.events < step.eventsTotal)).toBe(true);
    expect(told.at(-1)).toMatchObject({ phase: 'ready', events: 4_000, eventsTotal: 4_000, secondsLeft: 0, error: null });
    expect(await house.rows(work)).toEqual(await house.cleanFold(accountsV1, work));
  });
});
