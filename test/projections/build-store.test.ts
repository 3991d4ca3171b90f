import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { TopicDescription } from '../../src/log/event-log.js';
import { MemoryLog } from '../../src/log/memory/memory-log.js';
import { topicName } from '../../src/kernel/names.js';
import type { ProgressMove } from '../../src/database/partition-progress.js';
import type { Build, PartitionProgress } from '../../src/modules/projections/build.js';
import { BuildStore } from '../../src/modules/projections/build-store.js';
import { buildTableName } from '../../src/modules/projections/build-table-name.js';
import type { NewBuild } from '../../src/modules/projections/builds.js';
import { checkIdentity } from '../../src/modules/projections/check-identity.js';
import { freshDatabase, type FreshDatabase } from './fresh-database.js';
import { someoneWaitsForALock } from './swap-scene.js';

const description: TopicDescription = { name: topicName('fines'), partitions: 2, retention: null, incarnation: 'one' };

function newBuild(projection: string, version = 1, more: Partial<NewBuild> = {}): NewBuild {
  return {
    projection,
    version,
    shape: { columns: [], key: [], topics: [], events: [] },
    code: 'code',
    swapWhenReady: false,
    swapGroup: null,
    state: 'building',
    topics: [{ description, begins: [0, 5] }],
    log: { driver: 'memory', cluster: 'here' },
    ...more,
  };
}

const move = (partition: number, epoch: number, from: number, to: number): ProgressMove => ({
  topic: 'fines',
  partition,
  epoch,
  from,
  to,
});

describe('the build store', () => {
  let fresh: FreshDatabase;
  let store: BuildStore;
  beforeAll(async () => {
    fresh = await freshDatabase();
    store = new BuildStore(fresh.database);
  });
  afterAll(() => fresh.stop());

  const made = (name: string, more: Partial<NewBuild> = {}): Promise<Build> => store.create(newBuild(name, 1, more));
  const offsets = async (build: Build): Promise<readonly number[]> =>
    (await store.progress(build.id)).map((line) => line.nextOffset);

  it('numbers the builds of a version one after another, also when several are made at once, each with its own progress', async () => {
    const builds = await Promise.all([1, 2, 3, 4].map(() => made('numbered')));
    const other = await store.create(newBuild('numbered', 2));
    expect(builds.map((build) => build.number).sort()).toEqual([1, 2, 3, 4]);
    expect(other).toMatchObject({ version: 2, number: 1, tableName: 'numbered_v2_b1', state: 'building' });
    const [first, second] = builds as [Build, Build];
    await store.claim(first.id, ['fines/0']);
    expect(await store.advance(fresh.database, first.id, [move(0, 1, 0, 100)])).toBe('advanced');
    expect(await offsets(first)).toEqual([100, 5]);
    expect(await offsets(second)).toEqual([0, 5]);
    expect((await store.list('numbered')).map((build) => build.id)).toEqual(
      [...builds, other].map((build) => build.id).sort((a, b) => a - b),
    );
  });

  it('tells its process of each change of a build, and of nothing that it was refused', async () => {
    const told = randomUUID();
    let changes = 0;
    const telling = new BuildStore(fresh.database, () => (changes += 1));
    const build = await telling.create(newBuild('telling', 1, { swapGroup: told }));
    expect(changes).toBe(1);
    await telling.move(build.id, 'catching-up');
    expect(changes).toBe(2);
    await telling.setError(build.id, null);
    expect(changes).toBe(3);
    await telling.accept(build.id, 'other', {});
    expect(changes).toBe(4);
    await telling.swapWhenReady(build.id, told);
    expect(changes).toBe(5);
    await telling.list();
    await expect(telling.move(build.id, 'dropped')).rejects.toMatchObject({ code: 'KAPPA_BUILD_STATE' });
    expect(changes).toBe(5);
    await telling.endGroup(randomUUID(), []);
    expect(changes).toBe(6);
  });

  it('gives every table a name of its own that PostgreSQL keeps whole', () => {
    const names = ['fines', 'Fines', 'fi.nes', 'fi-nes', 'fi_nes', 'x'.repeat(100), `${'x'.repeat(99)}y`].map((name) =>
      buildTableName(name, 12, 345),
    );
    expect(new Set(names).size).toBe(names.length);
    expect(names[0]).toBe('fines_v12_b345');
    expect(Math.max(...names.map((name) => Buffer.byteLength(name)))).toBeLessThanOrEqual(56);
  });

  it('moves states along the table only, and says what stands in the way', async () => {
    const build = await made('moved');
    await expect(store.move(build.id, 'live')).rejects.toMatchObject({
      code: 'KAPPA_BUILD_STATE',
      facts: { state: 'building', to: 'live' },
    });
    await expect(store.move(-1, 'live')).rejects.toMatchObject({ code: 'KAPPA_BUILD_STATE' });
    for (const state of ['catching-up', 'ready', 'live'] as const) await store.move(build.id, state);
    const until = new Date(Date.now() + 60_000);
    expect(await store.move(build.id, 'standby', { standbyUntil: until })).toMatchObject({
      state: 'standby',
      standbyUntil: until.toISOString().replace('Z', '000Z'),
    });
    const { rows } = await fresh.database.query<{ facts: object }>(
      `select facts from projection_audit where build_id = $1 and action = 'state' order by id`,
      [build.id],
    );
    expect(rows.map((row) => row.facts)).toMatchObject([
      { from: 'building', to: 'catching-up' },
      { from: 'catching-up', to: 'ready' },
      { from: 'ready', to: 'live' },
      { from: 'live', to: 'standby' },
    ]);
  });

  it('never has two live builds of one projection', async () => {
    const [first, second] = [await made('single'), await made('single')];
    for (const state of ['catching-up', 'ready'] as const)
      await Promise.all([store.move(first.id, state), store.move(second.id, state)]);
    await store.move(first.id, 'live');
    await expect(store.move(second.id, 'live')).rejects.toMatchObject({ code: '23505' });
  });

  it('fences whoever still works on a build that was given up, and lets nobody claim it', async () => {
    const build = await made('given-up');
    const [claim] = await store.claim(build.id, ['fines/0']);
    await store.move(build.id, 'aborted');
    expect(await store.advance(fresh.database, build.id, [move(0, claim?.epoch ?? 0, 0, 10)])).toBe('fenced');
    await expect(store.claim(build.id, ['fines/0'])).rejects.toMatchObject({ code: 'KAPPA_BUILD_STATE' });
  });

  it('lets nobody claim a build that is given up at that moment', async () => {
    const build = await made('given-up-meanwhile');
    let claim: Promise<unknown> = Promise.resolve();
    await fresh.database.transaction(async (on) => {
      await store.move(build.id, 'aborted', { on });
      claim = store.claim(build.id, ['fines/0']).catch((error: unknown) => error);
      await someoneWaitsForALock(fresh.database);
    });
    expect(await claim).toMatchObject({ code: 'KAPPA_BUILD_STATE', facts: { state: 'aborted' } });
  });

  it('ends a swap group once, and leaves alone who swapped already', async () => {
    const group = randomUUID();
    const [first, second, gone] = await Promise.all(
      ['group-a', 'group-b', 'group-c'].map((name) => made(name, { swapWhenReady: true, swapGroup: group })),
    );
    await store.move(gone!.id, 'aborted');
    for (const state of ['catching-up', 'ready', 'live'] as const) await store.move(second!.id, state);
    expect((await store.group(group)).map(({ id }) => id)).toEqual(
      [first, second, gone].map((one) => one!.id).sort((a, b) => a - b),
    );
    expect(await store.endGroup(group, [gone!])).toMatchObject([{ id: first!.id, swapWhenReady: false }]);
    expect(await store.endGroup(group, [gone!])).toEqual([]);
    const { rows } = await fresh.database.query(`select build_id, facts from projection_audit where action = 'end-group'`);
    expect(rows).toEqual([{ build_id: first!.id, facts: { group, because: [{ build: gone!.id, state: 'building' }] } }]);
  });

  it('keeps and clears what stopped a build', async () => {
    const build = await made('stopped');
    const error = {
      code: 'KAPPA_BAD_ROW',
      message: 'no',
      stack: null,
      at: { topic: 'fines', partition: 1, offset: 7, type: 'fine.created' },
      since: '2000-01-01T00:00:00.000000Z',
    };
    await store.setError(build.id, error);
    expect((await store.get(build.id))?.error).toEqual(error);
    expect((await store.move(build.id, 'failed', { error })).error).toEqual(error);
    expect((await store.move(build.id, 'building')).error).toBeNull();
  });

  it('advances by offset and epoch, all partitions or none', async () => {
    const build = await made('advanced');
    const claims = await store.claim(build.id, ['fines/1', 'fines/0']);
    expect(claims.map((claim) => [claim.partition, claim.nextOffset, claim.epoch]).sort()).toEqual([
      [0, 0, 1],
      [1, 5, 1],
    ]);
    expect(await store.advance(fresh.database, build.id, [move(0, 1, 0, 3), move(1, 1, 4, 9)])).toBe('fenced');
    expect(await store.advance(fresh.database, build.id, [move(0, 1, 0, 3), move(1, 2, 5, 9)])).toBe('fenced');
    expect(await store.advance(fresh.database, build.id, [move(0, 1, 0, 3), move(7, 1, 5, 9)])).toBe('fenced');
    expect(await offsets(build)).toEqual([0, 5]);
    expect(await store.advance(fresh.database, build.id, [move(1, 1, 5, 9), move(0, 1, 0, 3)])).toBe('advanced');
    expect(await offsets(build)).toEqual([3, 9]);
    await expect(store.claim(build.id, ['fines/0', 'fines/9'])).rejects.toMatchObject({ code: 'KAPPA_UNKNOWN_PARTITION' });
  });

  it('fences the rightful owner once when a stale member claims late, and lets it go on after claiming again', async () => {
    const build = await made('late-claim');
    const [rightful] = await store.claim(build.id, ['fines/0']);
    const [stale] = await store.claim(build.id, ['fines/0']);
    expect(stale?.epoch).toBe(2);
    expect(await store.advance(fresh.database, build.id, [move(0, rightful?.epoch ?? 0, 0, 10)])).toBe('fenced');
    const [again] = await store.claim(build.id, ['fines/0']);
    expect(again).toMatchObject({ nextOffset: 0, epoch: 3 });
    expect(await store.advance(fresh.database, build.id, [move(0, 3, 0, 10)])).toBe('advanced');
    expect(await store.advance(fresh.database, build.id, [move(0, 2, 0, 10)])).toBe('fenced');
  });

  it('decides between two owners who advance at once: one moves, the other is fenced', async () => {
    const build = await made('race');
    await store.claim(build.id, ['fines/0', 'fines/1']);
    for (let from = 0; from < 20; from += 1) {
      const outcomes = await Promise.all(
        [1, 2, 3].map(() =>
          fresh.database.transaction((on) =>
            store.advance(on, build.id, [move(0, 1, from, from + 1), move(1, 1, from + 5, from + 6)]),
          ),
        ),
      );
      expect(outcomes.sort()).toEqual(['advanced', 'fenced', 'fenced']);
    }
    expect(await offsets(build)).toEqual([20, 25]);
  });

  it('cuts at a hold, until the hold is over or has run out', async () => {
    const build = await made('held');
    await store.claim(build.id, ['fines/0']);
    await fresh.database.query(
      `update progress set hold_at = 10, hold_until = now() + interval '1 minute' where build_id = $1 and partition = 0`,
      [build.id],
    );
    expect((await store.progress(build.id))[0]?.holdAt).toBe(10);
    expect(await store.advance(fresh.database, build.id, [move(0, 1, 0, 11)])).toBe('held');
    expect(await store.advance(fresh.database, build.id, [move(0, 1, 0, 10)])).toBe('advanced');
    await fresh.database.query(`update progress set hold_until = now() - interval '1 second' where build_id = $1`, [build.id]);
    expect((await store.progress(build.id))[0]?.holdAt).toBeNull();
    expect(await store.advance(fresh.database, build.id, [move(0, 1, 10, 11)])).toBe('advanced');
  });

  it('gives the lease to one process, and to another when it has run out', async () => {
    const build = await made('leased');
    const [one, two] = [randomUUID(), randomUUID()];
    expect(await store.lease(build.id, one, 60_000)).toBe(true);
    expect(await store.lease(build.id, one, 60_000)).toBe(true);
    expect(await store.lease(build.id, two, 60_000)).toBe(false);
    expect(await store.isLeased(build.id)).toBe(true);
    await store.release(build.id, two);
    expect(await store.lease(build.id, two, 60_000)).toBe(false);
    expect(await store.lease(build.id, one, -1)).toBe(true);
    expect(await store.isLeased(build.id)).toBe(false);
    expect(await store.lease(build.id, two, 60_000)).toBe(true);
    await store.release(build.id, two);
    expect(await store.lease(build.id, one, 1)).toBe(true);
  });

  it('refuses checkpoints of another log, and those that the log does not hold', async () => {
    const log = new MemoryLog();
    await log.start();
    const own = await log.createTopic({ name: description.name, partitions: 2, retention: null });
    const build = await made('identified', { topics: [{ description: own, begins: [0, 0] }], log: await log.identity() });
    const progress = await store.progress(build.id);
    await checkIdentity(build, progress, log);

    const changed = (change: (line: PartitionProgress) => Partial<PartitionProgress>): readonly PartitionProgress[] =>
      progress.map((line) => ({ ...line, ...change(line) }));
    for (const other of [
      changed(({ log: of }) => ({ log: { ...of, driver: 'kafka' } })),
      changed(({ log: of }) => ({ log: { ...of, cluster: 'elsewhere' } })),
      changed(({ log: of }) => ({ log: { ...of, incarnation: 'former' } })),
      changed(() => ({ topic: 'gone' })),
      progress.slice(0, 1),
      changed(() => ({ nextOffset: 1 })),
    ]) {
      await expect(checkIdentity(build, other, log)).rejects.toMatchObject({ code: 'KAPPA_LOG_CHANGED' });
    }
    const before = changed(() => ({ nextOffset: -1 }));
    await expect(checkIdentity(build, before, log)).rejects.toMatchObject({ code: 'KAPPA_LOG_TRUNCATED' });
    await log.stop();
  });
});
