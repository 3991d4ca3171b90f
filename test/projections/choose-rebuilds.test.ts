import { randomUUID } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { jsonCodec } from '../../src/kernel/codec.js';
import { projection, type ProjectionDefinition } from '../../src/modules/projections/projection.js';
import { declaredVersion } from '../../src/modules/projections/declared-version.js';
import type { RebuildOptions, RebuildProgress } from '../../src/modules/projections/operations.js';
import { Operations } from '../../src/modules/projections/supervisor/operations.js';
import { ProcessRegistry } from '../../src/modules/projections/supervisor/process-registry.js';
import { history } from './engines/happenings.js';
import { openHouse, type House } from './engines/house.js';
import { accounts, KindRow, kindsV1, Paid } from './engines/ledger.js';

const otherwise = projection({ name: 'kinds', version: 1, from: [accounts], table: KindRow }).on(
  Paid,
  { key: (e) => ({ kind: e.data.kind }) },
  (row, e, key) => ({
    kind: key.kind,
    cents: (row?.cents ?? 0n) + 5n * BigInt(e.data.cents),
    payments: (row?.payments ?? 0) + 1,
  }),
);

describe('a rebuild chooses', { timeout: 30_000 }, () => {
  let house: House;
  let alone: Operations;
  beforeEach(async () => {
    house = await openHouse();
    await house.append(history(200));
    alone = operations(kindsV1);
  });
  afterEach(() => house.stop());

  const operations = (...projections: readonly ProjectionDefinition[]): Operations =>
    new Operations({ ...house, codec: jsonCodec, projections });
  const rebuild = async (options: Partial<RebuildOptions> = {}, of = alone): Promise<RebuildProgress | undefined> => {
    let last: RebuildProgress | undefined;
    for await (const step of of.rebuild({ projections: ['kinds'], ...options })) last = step;
    return last;
  };
  const states = async (): Promise<readonly string[]> =>
    (await house.builds.list('kinds')).map(({ number, state }) => `${number} ${state}`);

  it('the next build where one of the same code is ready, and aborts that one', async () => {
    await rebuild({ swap: true });
    await rebuild();
    expect(await states()).toEqual(['1 live', '2 ready']);
    expect(await rebuild()).toMatchObject({ number: 3, phase: 'ready' });
    expect(await states()).toEqual(['1 live', '2 aborted', '3 ready']);
    expect(house.lines).toContain('kinds v1 build 2 (ready) is aborted: kinds v1 build 3 takes its place');
  });

  it.each(['planned', 'building', 'catching-up', 'failed'] as const)('what is %s of the same code', async (state) => {
    const { build } = await house.newBuild(kindsV1);
    if (state === 'catching-up') {
      const work = house.work(build, kindsV1);
      await house.builds.move(build.id, 'building');
      await work.table.create(house.database);
      await work.table.createKey(house.database);
      await house.builds.move(build.id, 'catching-up');
    } else if (state !== 'planned') {
      await house.builds.move(build.id, 'building');
      if (state === 'failed') await house.builds.move(build.id, 'failed');
    }
    expect(await rebuild({ swap: true })).toMatchObject({ build: build.id, phase: 'swapped' });
  });

  it('a ready build whose swap was interrupted, when it is asked for again', async () => {
    const { build } = await house.newBuild(kindsV1);
    await house.rebuild({ works: [house.work(build, kindsV1)] });
    await house.builds.swapWhenReady(build.id, null);
    expect(await rebuild({ swap: true })).toMatchObject({ build: build.id, phase: 'swapped' });
  });

  it('the next build where checkpoints are of another log, for with those it would fail again and again', async () => {
    const { build } = await house.newBuild(kindsV1);
    await house.builds.move(build.id, 'building');
    await house.builds.move(build.id, 'failed');
    await house.database.query(`update progress set topic_incarnation = 'former' where build_id = $1`, [build.id]);
    expect(await rebuild({ swap: true })).toMatchObject({ number: 2, phase: 'swapped' });
    expect(await states()).toEqual(['1 aborted', '2 live']);
  });

  it('over what other code is about, and says so', async () => {
    const other = new ProcessRegistry(house.database, 'newer app', [declaredVersion(otherwise)]);
    await other.beat();
    const { build } = await house.newBuild(otherwise);
    await house.builds.move(build.id, 'building');
    expect(await rebuild()).toMatchObject({ number: 2 });
    expect(house.lines).toContain(
      'kinds v1 build 1 (building, with other code that 1 running process has) is aborted: kinds v1 build 2 takes its place',
    );
  });

  it('begins without carrying out: the build is planned, and who has its code is named', async () => {
    const begun = await alone.beginRebuild({ projections: ['kinds'], swap: true });
    expect(begun).toMatchObject([{ build: { number: 1, state: 'planned', swapWhenReady: true }, processes: [] }]);
    const [same, foreign] = [
      new ProcessRegistry(house.database, 'shop', [declaredVersion(kindsV1)]),
      new ProcessRegistry(house.database, 'former shop', [declaredVersion(otherwise)]),
    ];
    await Promise.all([same.beat(), foreign.beat()]);
    const again = await alone.beginRebuild({ projections: ['kinds'], swap: true });
    expect(again).toMatchObject([
      { build: { number: 1, state: 'planned' }, processes: [{ application: 'shop', pid: process.pid }] },
    ]);
    expect(again[0]?.processes).toHaveLength(1);
    expect(await house.standsAt(house.work(begun[0]!.build, kindsV1))).toMatchObject({ 'accounts/0': 0 });
    const [status] = await alone.status(['kinds']);
    expect(status?.builds[0]).toMatchObject({ runners: 1, build: { state: 'planned' } });
  });

  it('and tells whether a running process goes on with what was swapped to', async () => {
    expect(await rebuild({ swap: true })).toMatchObject({ phase: 'swapped', runners: 0 });
    await rebuild();
    expect(await alone.swap(['kinds'])).toMatchObject([{ to: { number: 2 }, runners: 0 }]);
    // Readers see it already: whoever has the version goes on with it, whatever its code.
    const registry = new ProcessRegistry(house.database, 'shop', [declaredVersion(otherwise)]);
    await registry.beat();
    expect(await rebuild({ swap: true })).toMatchObject({ number: 3, phase: 'swapped', runners: 1 });
    // No process runs in truth, so that the build which stands by is behind; it is gone back to knowingly.
    expect(await alone.rollback(['kinds'], { stale: true })).toMatchObject([{ to: { number: 2 }, runners: 1 }]);
  });

  it('holds the lease also while it catches up, so that nobody takes its place meanwhile', async () => {
    await rebuild({ swap: true });
    await house.append(history(50, { seed: 2 }));
    const leased = new Set<string>();
    const build = (await house.newBuild(kindsV1)).build.id;
    const look = house.builds.get.bind(house.builds);
    house.builds.get = async (id) => {
      const found = await look(id);
      if (id === build && found?.state === 'catching-up' && (await house.builds.isLeased(id))) leased.add(found.state);
      return found;
    };
    // The live build stands where nobody moves it: the new one catches up until it is stopped.
    await house.database.query(`update progress set next_offset = next_offset + 1000000 where build_id <> $1`, [build]);
    const stop = new AbortController();
    for await (const _ of alone.rebuild({ projections: ['kinds'], signal: stop.signal })) if (leased.size > 0) stop.abort();
    expect([...leased]).toEqual(['catching-up']);
    expect(await house.builds.isLeased(build)).toBe(false);
    expect(await house.builds.lease(build, randomUUID(), 1_000)).toBe(true);
  });
});
