import pg from 'pg';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { KappaError } from '../../../src/kernel/errors.js';
import { jsonCodec } from '../../../src/kernel/codec.js';
import type { Build } from '../../../src/modules/projections/build.js';
import type { RebuildProgress } from '../../../src/modules/projections/operations.js';
import { rebuildProjections } from '../../../src/modules/projections/rebuild/rebuild-projections.js';
import { Readiness } from '../../../src/modules/projections/runner/readiness.js';
import { SwapWaits } from '../../../src/modules/projections/runner/swap-waits.js';
import { ProjectionEngine } from '../../../src/modules/projections/supervisor/supervisor.js';
import { swapTogether } from '../../../src/modules/projections/supervisor/swap-together.js';
import { history } from './happenings.js';
import { openHouse, type House } from './house.js';
import { someoneWaitsForALock } from '../swap-scene.js';
import { kindsV1 } from './ledger.js';

const CANNOT_YET = 'is ready but cannot swap yet';

describe('a build that is to swap by itself while a long reader holds the view', { timeout: 60_000 }, () => {
  let house: House;
  const strangers: pg.Client[] = [];
  const engines: ProjectionEngine[] = [];
  beforeEach(async () => {
    house = await openHouse();
    await house.append(history(200));
    const first = await house.newBuild(kindsV1, { swapWhenReady: true });
    await house.rebuild({ works: [first] });
  });
  afterEach(async () => {
    await Promise.all(strangers.splice(0).map((client) => client.end()));
    await Promise.all(engines.splice(0).map((engine) => engine.stop()));
    await house.stop();
  });

  const longReader = async (): Promise<{ readonly client: pg.Client; readonly pid: number }> => {
    const client = new pg.Client({ connectionString: house.url });
    strangers.push(client);
    await client.connect();
    await client.query('begin');
    const { rows } = await client.query<{ pid: number }>('select pg_backend_pid() as pid from public.kinds');
    return { client, pid: rows[0]!.pid };
  };
  const readyBuild = async (): Promise<Build> => {
    const { build } = await house.newBuild(kindsV1, { swapWhenReady: true });
    for (const state of ['building', 'catching-up', 'ready'] as const) await house.builds.move(build.id, state);
    return (await house.builds.get(build.id))!;
  };
  const blockedBy = (pid: number, seconds: number): KappaError =>
    new KappaError('KAPPA_SWAP_BLOCKED', `held by pid ${pid} (${seconds} s)`, {
      facts: { holders: [{ pid, query: 'select', seconds }] },
    });

  it('tries ever more seldom, half a minute apart in the end, and begins anew with another state', async () => {
    const build = await readyBuild();
    let now = 0;
    let tries = 0;
    const readiness = new Readiness(
      house,
      () => {
        tries += 1;
        return Promise.reject(blockedBy(1, tries));
      },
      new SwapWaits(() => now),
    );
    const triesIn = async (ms: number): Promise<number> => {
      const before = tries;
      for (const end = now + ms; now < end; now += 250) await readiness.look(build);
      return tries - before;
    };
    const first = await triesIn(5_000);
    expect(first).toBeGreaterThan(2);
    expect(first).toBeLessThan(7);
    await triesIn(60_000);
    expect(await triesIn(60_000)).toBeLessThanOrEqual(4);
    expect(readiness.isDue(build)).toBe(false);
    await readiness.look({ ...build, swapWhenReady: false });
    expect(readiness.isDue(build)).toBe(true);
    expect(readiness.blockedBy(build)).toBeNull();
  });

  it('says who holds it once for each holder, however often it tries', async () => {
    const build = await readyBuild();
    let now = 0;
    const pids = [7, 7, 7, 8, 7];
    let at = 0;
    const swap = () => Promise.reject(blockedBy(pids[at]!, at++));
    const readiness = new Readiness(house, swap, new SwapWaits(() => now));
    for (; at < pids.length; now += 60_000) await readiness.look(build);
    const said = house.lines.filter((line) => line.includes(CANNOT_YET));
    expect(said.map((line) => /pid \d/.exec(line)?.[0])).toEqual(['pid 7', 'pid 8']);
  });

  it('names the holder in the log of an engine, and swaps when that has ended', async () => {
    const { client, pid } = await longReader();
    const { build } = await house.newBuild(kindsV1, { swapWhenReady: true });
    const engine = new ProjectionEngine({ ...house, codec: jsonCodec, projections: [kindsV1], application: 'test' });
    engines.push(engine);
    await engine.start();
    await house.said(CANNOT_YET);
    expect(house.lines.find((line) => line.includes(CANNOT_YET))).toContain(`pid ${pid}`);
    await client.query('commit');
    await house.stateOf({ build }, 'live');
  });

  it('is no error where the engine is stopped meanwhile', async () => {
    await longReader();
    await house.newBuild(kindsV1, { swapWhenReady: true });
    const engine = new ProjectionEngine({ ...house, codec: jsonCodec, projections: [kindsV1], application: 'test' });
    engines.push(engine);
    await engine.start();
    await someoneWaitsForALock(house.database);
    await engine.stop();
    expect(house.lines.filter((line) => line.includes('cannot go on'))).toEqual([]);
  });

  it('names the holder in the progress of a rebuild, which ends without an error when it has swapped', async () => {
    const { client, pid } = await longReader();
    const work = await house.newBuild(kindsV1, { swapWhenReady: true });
    const errors: string[] = [];
    let last: RebuildProgress | null = null;
    for await (const step of rebuildProjections(house, { works: [work] })) {
      last = step;
      if (step.error !== null && errors.push(step.error) === 1) await client.query('commit');
    }
    expect(errors[0]).toContain(`pid ${pid}`);
    expect(last).toMatchObject({ phase: 'swapped', error: null });
  });

  it('leaves the lock to another process that asks for it at this moment', async () => {
    const build = await readyBuild();
    const other = new pg.Client({ connectionString: house.url });
    strangers.push(other);
    await other.connect();
    await other.query(`begin; select 1 from kappa.projections where name = 'kinds' for no key update`);
    await expect(swapTogether(house)([build])).rejects.toMatchObject({ code: 'KAPPA_SWAP_UNDER_WAY' });
    const waits = new SwapWaits(() => 0);
    expect(await new Readiness(house, swapTogether(house), waits).look(build)).toMatchObject({ state: 'ready' });
    expect(waits.isDue(build)).toBe(false);
    expect(house.lines.some((line) => line.includes(CANNOT_YET))).toBe(false);
  });
});
