import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { jsonCodec } from '../../../src/kernel/codec.js';
import { declaredVersion } from '../../../src/modules/projections/declared-version.js';
import type { ProjectionDefinition } from '../../../src/modules/projections/projection.js';
import { projection } from '../../../src/modules/projections/projection.js';
import { ProjectionEngine, type ProjectionEngineOptions } from '../../../src/modules/projections/supervisor/supervisor.js';
import { openHouse, type House } from './house.js';
import { history } from './happenings.js';
import { Accounts, accounts, accountsV1, Flows, flowsV1, KindRow, Kinds, kindsV1, Opened, Paid } from './ledger.js';

const kindsV2 = projection({ name: 'kinds', version: 2, from: [accounts], table: KindRow }).on(
  Paid,
  { key: (e) => ({ kind: e.data.kind }) },
  (row, e, key) => ({
    kind: key.kind,
    cents: (row?.cents ?? 0n) + 2n * BigInt(e.data.cents),
    payments: (row?.payments ?? 0) + 1,
  }),
);

describe('the engine of a process', () => {
  let house: House;
  const engines: ProjectionEngine[] = [];
  beforeEach(async () => {
    house = await openHouse();
  });
  afterEach(async () => {
    await Promise.all(engines.splice(0).map((engine) => engine.stop()));
    await house.stop();
  });

  const engine = (
    projections: readonly ProjectionDefinition[],
    more: Partial<ProjectionEngineOptions> = {},
    where: House = house,
  ): ProjectionEngine => {
    const made = new ProjectionEngine({ ...where, codec: jsonCodec, projections, application: 'test', ...more });
    engines.push(made);
    return made;
  };

  it('builds what has no build yet, swaps it by itself, and follows the log', async () => {
    await house.append(history(2_000, { seed: 1 }));
    await engine([accountsV1, kindsV1, flowsV1]).start();
    const position = await house.append(history(500, { seed: 2 }));
    for (const definition of [accountsV1, kindsV1, flowsV1]) {
      const work = house.work(await house.live(definition.name), definition);
      await house.reached(work, position);
      expect(work.build).toMatchObject({ version: 1, number: 1, state: 'live' });
      expect(await house.rows(work)).toEqual(await house.cleanFold(definition, work));
    }
  });

  it('makes the first build once, also when two processes start at one moment', async () => {
    const other = await house.another();
    await house.append(history(500, { seed: 3 }));
    await Promise.all([engine([kindsV1]).start(), engine([kindsV1], {}, other).start()]);
    await house.live('kinds');
    expect(await house.builds.list()).toHaveLength(1);
  });

  it('looks at builds that do not change with its beats, and at once when this process changes one', async () => {
    await house.append(history(300, { seed: 43 }));
    const list = house.builds.list.bind(house.builds);
    const looks: number[] = [];
    house.builds.list = (projection) => {
      looks.push(performance.now());
      return list(projection);
    };
    const pace = { lookMs: 100, beatMs: 500, restAfterMs: 600 };
    const resting = engine([kindsV1], { pace });
    await resting.start();
    await house.live('kinds');
    const gaps = (from: number): readonly number[] => looks.slice(from).map((at, n, all) => at - (all[n - 1] ?? at));
    // By its beats: seldom, but more often than without them.
    await vi.waitUntil(() => gaps(0).some((gap) => gap > 400 && gap < 800), { timeout: 20_000 });
    const next = await house.newBuild(kindsV1, { swapWhenReady: true });
    await house.stateOf(next, 'live');
    let [soonest, isQuick] = [Infinity, false];
    for (let tries = 0; tries < 5 && (soonest >= 250 || !isQuick); tries += 1) {
      await vi.waitUntil(() => gaps(looks.length - 3).every((gap) => gap > 400 || gap === 0), { timeout: 20_000 });
      // A moment after a look, which is over then: the next one is not due.
      const seen = looks.length;
      await vi.waitUntil(() => looks.length > seen, { timeout: 20_000, interval: 5 });
      await sleep(50);
      const [stirredAt, stirred] = [performance.now(), looks.length];
      resting.stir();
      await vi.waitUntil(() => looks.length > stirred + 3, { timeout: 20_000, interval: 5 });
      isQuick = gaps(stirred)
        .slice(1)
        .some((gap) => gap < 250);
      soonest = (looks[stirred] ?? Infinity) - stirredAt;
    }
    expect(isQuick).toBe(true);
    expect(soonest).toBeLessThan(250);
  });

  it('never moves a build whose version it has no code for', async () => {
    await house.append(history(300, { seed: 4 }));
    const old = engine([kindsV1]);
    await old.start();
    await house.live('kinds');
    const foreign = await house.newBuild(kindsV2);
    await house.looked(6);
    expect(await house.builds.get(foreign.build.id)).toMatchObject({ state: 'planned' });
    await engine([kindsV1, kindsV2]).start();
    await house.stateOf(foreign, 'ready');
    expect(await house.rows(foreign)).toEqual(await house.cleanFold(kindsV2, foreign));
  });

  it('never goes on with a build on its way that other code began, whatever the policy', async () => {
    await house.append(history(300, { seed: 41 }));
    const before = await house.newBuild(kindsV1, { swapWhenReady: true });
    const mended = projection({ name: 'kinds', version: 1, from: [accounts], table: KindRow }).on(
      Paid,
      { key: (e) => ({ kind: e.data.kind }) },
      (row, e, key) => ({
        kind: key.kind,
        cents: (row?.cents ?? 0n) + 3n * BigInt(e.data.cents),
        payments: (row?.payments ?? 0) + 1,
      }),
    );
    await engine([mended], { onChangedCode: 'warn' }).start();
    const live = house.work(await house.live('kinds'), mended);
    expect(live.build.id).not.toBe(before.build.id);
    expect(await house.rows(live)).toEqual(await house.cleanFold(mended, live));
    expect((await house.builds.get(before.build.id))?.state).toMatch(/aborted|dropped/);
  });

  it('leaves alone what a process with other code of the version builds', async () => {
    await house.append(history(300, { seed: 42 }));
    const mended = projection({ name: 'kinds', version: 1, from: [accounts], table: KindRow }).on(
      Paid,
      { key: (e) => ({ kind: e.data.kind }) },
      (row, e, key) => ({
        kind: key.kind,
        cents: (row?.cents ?? 0n) + 4n * BigInt(e.data.cents),
        payments: (row?.payments ?? 0) + 1,
      }),
    );
    await engine([kindsV1]).start();
    await house.live('kinds');
    const foreign = await house.newBuild(mended);
    await house.looked(6);
    expect(await house.builds.get(foreign.build.id)).toMatchObject({ state: 'planned' });
  });

  it('keeps the build that was swapped away at the tail, so that the way back loses nothing, and retires it in the end', async () => {
    await house.append(history(300, { seed: 5 }));
    await engine([kindsV1, kindsV2], { standbyHours: 1 / 3600 }).start();
    const v2 = house.work(await house.live('kinds'), kindsV2);
    expect(v2.build.version).toBe(2);
    const v1 = await house.newBuild(kindsV1, { swapWhenReady: true });
    await house.stateOf(v1, 'live');
    const position = await house.append(history(300, { seed: 6 }));
    await house.reached(v2, position);
    expect(await house.rows(v2)).toEqual(await house.cleanFold(kindsV2, v2));
    await house.stateOf(v2, 'retired');
  });

  it('refuses to start where columns changed under an unchanged version', async () => {
    const first = engine([kindsV1]);
    await first.start();
    await house.live('kinds');
    await first.stop();
    const changed = Kinds.on(Opened, { key: (e) => ({ kind: e.data.owner }) }, () => null);
    await expect(engine([changed]).start()).rejects.toMatchObject({ code: 'KAPPA_SHAPE_CHANGED' });
  });

  it('in development rebuilds beside when a handler was changed, swaps, says so in one line and clears the old build away', async () => {
    await house.append(history(700, { seed: 7 }));
    const first = engine([kindsV1], { onChangedCode: 'rebuild' });
    await first.start();
    const before = await house.live('kinds');
    await first.stop();
    const doubled = Kinds.on(Paid, { key: (e) => ({ kind: e.data.kind }) }, (row, e, key) => ({
      kind: key.kind,
      cents: (row?.cents ?? 0n) + 2n * BigInt(e.data.cents),
      payments: (row?.payments ?? 0) + 1,
    }));
    await engine([doubled], { onChangedCode: 'rebuild' }).start();
    await house.stateOf({ build: before }, 'dropped');
    const work = house.work(await house.live('kinds'), doubled);
    expect(work.build.number).toBe(2);
    expect(await house.rows(work)).toEqual(await house.cleanFold(doubled, work));
    expect(house.lines.filter((line) => /^kinds v1 → rebuilt 700 events in \d+\.\d s$/.test(line))).toHaveLength(1);
  });

  it('in production goes on with changed handlers and warns', async () => {
    const first = engine([kindsV1]);
    await first.start();
    await house.live('kinds');
    await first.stop();
    const changed = Kinds.on(Paid, { key: (e) => ({ kind: e.data.kind }) }, (row, _, key) => ({
      kind: key.kind,
      cents: 0n,
      payments: row?.payments ?? 0,
    }));
    await engine([changed], { onChangedCode: 'warn' }).start();
    expect(house.lines.some((line) => line.includes('its handlers changed'))).toBe(true);
    expect(await house.builds.list()).toHaveLength(1);
  });

  it('tries again at its start what an event had stopped, and goes on with corrected code', async () => {
    const failing = Flows.on(Paid, { key: (e) => [{ who: e.stream.id }, { who: e.data.to }] }, () => {
      throw new Error('not yet written');
    });
    const wrong: ProjectionDefinition = { ...failing, deadLetters: { halt: true, retries: 0 } };
    const first = engine([wrong, accountsV1]);
    await first.start();
    const live = await house.live('flows');
    await house.live('accounts');
    const position = await house.append(history(400, { seed: 8 }));
    await house.errorOf(live);
    const sound = house.work(await house.live('accounts'), accountsV1);
    await house.reached(sound, position);
    await first.stop();
    await engine([flowsV1, accountsV1]).start();
    const work = house.work(live, flowsV1);
    await house.untilNoError(live);
    await house.reached(work, position);
    expect(await house.rows(work)).toEqual(await house.cleanFold(flowsV1, work));
  });

  it('looks no more often while another process builds', async () => {
    await house.append(history(100, { seed: 9 }));
    const { build } = await house.newBuild(kindsV1);
    await house.builds.lease(build.id, randomUUID(), 60_000);
    let refused = 0;
    const lease = house.builds.lease.bind(house.builds);
    house.builds.lease = async (...wish) => {
      const taken = await lease(...wish);
      refused += taken ? 0 : 1;
      return taken;
    };
    await engine([kindsV1]).start();
    await expect.poll(() => refused, { timeout: 10_000 }).toBeGreaterThan(0);
    const since = performance.now();
    await house.looked(3);
    // Two whole pauses lie between three looks.
    expect(performance.now() - since).toBeGreaterThan(800);
  });

  it('says which versions it runs, and no more after its stop', async () => {
    const one = engine([kindsV1, kindsV2, Accounts.on(Opened, () => null)]);
    await one.start();
    const { rows } = await house.database.query<{ versions: unknown; pid: number }>('select versions, pid from processes');
    expect(rows).toEqual([
      {
        pid: process.pid,
        versions: [
          { projection: 'kinds', version: 1, code: declaredVersion(kindsV1).fingerprint.code },
          { projection: 'kinds', version: 2, code: declaredVersion(kindsV2).fingerprint.code },
          { projection: 'accounts', version: 1, code: expect.any(String) as string },
        ],
      },
    ]);
    await one.stop();
    expect((await house.database.query('select 1 from processes')).rows).toEqual([]);
  });
});
