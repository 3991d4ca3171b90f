import pg from 'pg';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { KappaError } from '../../src/kernel/errors.js';
import { createBuildTable } from '../../src/modules/projections/build-table.js';
import { swapBuilds } from '../../src/modules/projections/swap/swap-builds.js';
import { column, ID, PAID, SwapScene, someoneWaitsForALock, tableOf } from './swap-scene.js';

const ONE = [{ id: 'a', paid: '1.00' }];
const TWO = [
  { id: 'a', paid: '2.00' },
  { id: 'b', paid: '2.50' },
];

describe('a swap', () => {
  let scene: SwapScene;
  const clients: pg.Client[] = [];
  beforeEach(async () => {
    scene = await SwapScene.start();
  });
  afterEach(async () => {
    for (const client of clients.splice(0)) await client.end();
    await scene.stop();
  });

  /** Somebody else's connection, without our settings. */
  const stranger = async (user?: string): Promise<pg.Client> => {
    const client = new pg.Client({
      connectionString: scene.fresh.url,
      ...(user === undefined ? {} : { options: `-c role=${user}` }),
    });
    await client.connect();
    clients.push(client);
    return client;
  };
  /** A live build, whose view somebody holds in an open transaction, and the one that is to take its place. */
  const behindLongReader = async () => {
    const live = await scene.build('fines', { rows: ONE });
    await swapBuilds(scene.context, [live]);
    const long = await stranger();
    await long.query('begin');
    const { rows } = await long.query<{ pid: number }>('select pg_backend_pid() as pid from public.fines');
    const next = await scene.build('fines', { rows: TWO });
    return { live, long, pid: rows[0]?.pid, next };
  };

  it('creates the view, flips the pointer, and keeps the old build as standby for the way back', async () => {
    const first = await scene.build('fines', { rows: ONE, offsets: [4, 7] });
    const [result] = await swapBuilds(scene.context, [first]);
    expect(result).toMatchObject({
      projection: 'fines',
      from: null,
      to: { id: first.id, state: 'live' },
      position: { 'fines/0': 4, 'fines/1': 7 },
    });
    expect(await scene.view('fines')).toEqual(ONE);

    const second = await scene.build('fines', { rows: TWO, offsets: [4, 8] });
    const [swapped] = await swapBuilds(scene.context, [second], { standbyMs: 3_600_000 });
    expect(swapped).toMatchObject({
      from: { id: first.id, state: 'standby' },
      to: { id: second.id, state: 'live', standbyUntil: null },
    });
    expect(swapped?.lockedMs).toBeGreaterThan(0);
    expect(Date.parse(swapped?.from?.standbyUntil ?? '') - Date.now()).toBeGreaterThan(3_500_000);
    expect(await scene.view('fines')).toEqual(TWO);
    expect((await scene.store.active('fines'))?.id).toBe(second.id);

    await scene.advance(first, 1, 8);
    await swapBuilds(scene.context, [first], { action: 'rollback' });
    expect(await scene.view('fines')).toEqual(ONE);
    const { rows } = await scene.database.query<{ action: string; facts: { position: object } }>(
      `select action, facts from projection_audit where action in ('swap', 'rollback') order by id`,
    );
    expect(rows.map((row) => row.action)).toEqual(['swap', 'swap', 'rollback']);
    expect(rows[2]?.facts.position).toEqual({ 'fines/0': 4, 'fines/1': 8 });
  });

  it('is refused with the distance when the new build is behind on any partition, unless stale', async () => {
    const live = await scene.build('fines', { rows: ONE, offsets: [4, 7] });
    await swapBuilds(scene.context, [live]);
    const behind = await scene.build('fines', { rows: TWO, offsets: [100, 5] });
    await expect(swapBuilds(scene.context, [behind], { levelWithinMs: 0 })).rejects.toMatchObject({
      code: 'KAPPA_BUILD_BEHIND',
      facts: { builds: [{ build: behind.id, live: live.id, behind: 2 }] },
    });
    expect(await scene.view('fines')).toEqual(ONE);
    await swapBuilds(scene.context, [behind], { stale: true });
    expect(await scene.view('fines')).toEqual(TWO);
  });

  it('is refused for a build that is neither ready nor standby', async () => {
    const building = await scene.build('fines', { state: 'building' });
    await expect(swapBuilds(scene.context, [building])).rejects.toMatchObject({
      code: 'KAPPA_BUILD_STATE',
      facts: { state: 'building' },
    });
  });

  it('waits for a commit of the old runner that is under way, and sees what it committed', async () => {
    const live = await scene.build('fines', { rows: ONE, offsets: [4] });
    await swapBuilds(scene.context, [live]);
    const [claim] = await scene.store.claim(live.id, ['fines/0']);
    const next = await scene.build('fines', { rows: TWO, offsets: [4] });
    let swapping: Promise<unknown> = Promise.resolve();
    await scene.database.transaction(async (on) => {
      // Not committed yet: whoever only reads the old position sees 4, which the new build has reached.
      expect(
        await scene.store.advance(on, live.id, [{ topic: 'fines', partition: 0, epoch: claim?.epoch ?? 0, from: 4, to: 5 }]),
      ).toBe('advanced');
      swapping = swapBuilds(scene.context, [next], { levelWithinMs: 0, lockTimeoutMs: 4_000 });
      swapping.catch(() => undefined);
      await someoneWaitsForALock(scene.database);
    });
    await expect(swapping).rejects.toMatchObject({ code: 'KAPPA_BUILD_BEHIND', facts: { builds: [{ behind: 1 }] } });
    expect((await scene.store.active('fines'))?.id).toBe(live.id);
  });

  it('keeps no reader waiting while it waits for a commit of the old runner', async () => {
    const live = await scene.build('fines', { rows: ONE });
    await swapBuilds(scene.context, [live]);
    const next = await scene.build('fines', { rows: TWO });
    const reader = await stranger();
    await reader.query(`set lock_timeout = '2s'`);
    let swapping: Promise<unknown> = Promise.resolve();
    await scene.database.transaction(async (on) => {
      await on.query('select 1 from progress where build_id = $1 for update', [live.id]);
      swapping = swapBuilds(scene.context, [next], { lockTimeoutMs: 10_000 });
      swapping.catch(() => undefined);
      await someoneWaitsForALock(scene.database);
      expect((await reader.query('select * from public.fines')).rows).toEqual(ONE);
    });
    await swapping;
    expect((await reader.query('select * from public.fines order by 1')).rows).toEqual(TWO);
  });

  it('stops runners once at most while a long reader holds the view', async () => {
    const { long, next } = await behindLongReader();
    const swapping = swapBuilds(scene.context, [next], { lockTimeoutMs: 300 });
    await someoneWaitsForALock(scene.database);
    // As a runner does, which waits here until the first attempt has given up.
    const runner = await stranger();
    await runner.query('select 1 from kappa.progress for update');
    await someoneWaitsForALock(scene.database);
    await runner.query('select 1 from kappa.progress for update nowait');
    await long.query('commit');
    await swapping;
    expect(await scene.view('fines')).toEqual(TWO);
  });

  it('gets through, after a long reader, between the batches of a handler that reads its own view', async () => {
    const { live, long, next } = await behindLongReader();
    const attempts = vi.spyOn(scene.database, 'transaction');
    const swapping = swapBuilds(scene.context, [next]);
    await someoneWaitsForALock(scene.database);
    const runner = await stranger();
    let swapped = false;
    const batch = async (): Promise<void> => {
      await runner.query('begin');
      await runner.query('select 1 from kappa.progress where build_id = $1 for update', [live.id]);
      await runner.query('select pg_sleep(0.04)');
      await runner.query('select * from public.fines');
      await runner.query('commit');
    };
    const handler = (async () => {
      // The first waits until the first attempt, which waits for the long reader, has given progress back.
      for (await batch().then(() => long.query('commit')); !swapped;) await batch();
    })();
    await swapping.finally(() => (swapped = true));
    await handler;
    expect(attempts.mock.calls.length).toBeLessThanOrEqual(5);
    expect(await scene.view('fines')).toEqual(TWO);
  });

  it('lets the new build draw level while the live one is held, however fast writers go on', async () => {
    const live = await scene.build('fines', { rows: ONE, offsets: [0] });
    await swapBuilds(scene.context, [live]);
    const next = await scene.build('fines', { rows: TWO, offsets: [0] });
    const stop = new AbortController();
    /** A runner that takes in one event at a time; the live one is always ahead unless it is held. */
    const run = async (build: typeof live, ahead: boolean): Promise<void> => {
      const [claim] = await scene.store.claim(build.id, ['fines/0']);
      let at = 0;
      while (!stop.signal.aborted) {
        const other = (await scene.store.progress(ahead ? next.id : live.id))[0]?.nextOffset ?? 0;
        const to = ahead ? Math.max(at + 1, other + 3) : Math.min(at + 1, other);
        if (to <= at) continue;
        const outcome = await scene.store.advance(scene.database, build.id, [
          { topic: 'fines', partition: 0, epoch: claim?.epoch ?? 0, from: at, to },
        ]);
        if (outcome === 'advanced') at = to;
      }
    };
    const runners = [run(live, true), run(next, false)];
    const [result] = await swapBuilds(scene.context, [next]);
    stop.abort();
    await Promise.all(runners);
    expect(result?.to.id).toBe(next.id);
    expect((await scene.store.progress(live.id))[0]?.holdAt).toBeNull();
  });

  it('never lets readers queue behind it while a long reader holds the view, and goes on when that one has ended', async () => {
    const { long, next } = await behindLongReader();
    const swapping = swapBuilds(scene.context, [next], { lockTimeoutMs: 20 });
    const other = await stranger();
    // Half of what our own connections wait for a lock where nothing says otherwise.
    await other.query(`set lock_timeout = '2s'`);
    for (let i = 0; i < 3; i += 1) {
      await someoneWaitsForALock(scene.database);
      // Would wait until the long reader ends, were the swap to stay in the queue.
      expect((await other.query('select * from public.fines')).rows).toEqual(ONE);
    }
    await long.query('commit');
    await swapping;
    expect((await other.query('select * from public.fines order by 1')).rows).toEqual(TWO);
  });

  it('names who holds the view when it gives up, and has changed nothing', async () => {
    const { long, pid, next } = await behindLongReader();
    const refused = (await swapBuilds(scene.context, [next], { lockTimeoutMs: 10, maxWaitMs: 50 }).catch(
      (error: unknown) => error,
    )) as KappaError;
    expect(refused).toMatchObject({ code: 'KAPPA_SWAP_BLOCKED', facts: { holders: [{ pid }] } });
    await long.query('commit');
    expect(await scene.view('fines')).toEqual(ONE);
    expect((await scene.store.get(next.id))?.state).toBe('ready');
  });

  it('swaps several projections in one transaction, or none', async () => {
    const first = await scene.build('a', { rows: ONE });
    const second = await scene.build('b', { rows: ONE });
    await swapBuilds(scene.context, [second, first]);
    const next = [await scene.build('b', { rows: TWO }), await scene.build('a', { rows: TWO, offsets: [0, 0] })];
    await scene.advance(first, 0, 1);
    await expect(swapBuilds(scene.context, next, { levelWithinMs: 0 })).rejects.toMatchObject({ code: 'KAPPA_BUILD_BEHIND' });
    expect([await scene.view('a'), await scene.view('b')]).toEqual([ONE, ONE]);
    await scene.advance(next[1] as typeof first, 0, 1);
    expect((await swapBuilds(scene.context, next)).map((result) => result.projection)).toEqual(['a', 'b']);
    expect([await scene.view('a'), await scene.view('b')]).toEqual([TWO, TWO]);
  });

  it('is safe when two processes swap the same projection at once, also for the first time', async () => {
    const builds = [await scene.build('fines', { rows: ONE }), await scene.build('fines', { rows: TWO })];
    const other = { database: scene.fresh.another(), builds: scene.store };
    const results = await Promise.all(builds.map((build, at) => swapBuilds(at === 0 ? scene.context : other, [build])));
    const active = await scene.store.active('fines');
    const states = await Promise.all(builds.map(async (build) => (await scene.store.get(build.id))?.state));
    expect(states.sort()).toEqual(['live', 'standby']);
    expect(results.flat().find((result) => result.from !== null)?.to.id).toBe(active?.id);
  });

  it('keeps named statements of others alive, with the same and with appended columns', async () => {
    await swapBuilds(scene.context, [await scene.build('fines', { rows: ONE })]);
    const client = await stranger();
    const read = async (): Promise<unknown[]> =>
      (await client.query({ name: 'by-id', text: 'select id, paid from public.fines order by id' })).rows as unknown[];
    expect(await read()).toEqual(ONE);
    await swapBuilds(scene.context, [await scene.build('fines', { rows: TWO })]);
    expect(await read()).toEqual(TWO);
    // The new column stands in front in the new table: the view keeps its own order and appends.
    const appended = tableOf(column('note', 'text', { nullable: true }), ID, PAID);
    await swapBuilds(scene.context, [
      await scene.build('fines', { version: 2, table: appended, rows: ONE.map((row) => ({ ...row, note: 'new' })) }),
    ]);
    expect(await read()).toEqual(ONE);
    expect(Object.keys((await scene.view('fines'))[0] ?? {})).toEqual(['id', 'paid', 'note']);
  });

  it('reads tables of two versions over one connection, though a column has another type in each', async () => {
    const database = scene.fresh.another({ poolSize: 1 });
    for (const [type, value] of [
      ['integer', 1],
      ['text', 'one'],
    ] as const) {
      const table = tableOf(ID, column('size', type, { value: typeof value === 'number' ? 'number' : 'string' }));
      const build = await scene.build('sizes', { table, rows: [{ id: 'a', size: value }] });
      const rows = await createBuildTable('kappa', build.tableName, table).readKeys(database, [{ id: 'a' }]);
      expect(rows.get('a')).toEqual({ id: 'a', size: value });
    }
  });
});
