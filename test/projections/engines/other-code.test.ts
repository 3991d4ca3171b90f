import { randomUUID } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { jsonCodec } from '../../../src/kernel/codec.js';
import { declaredVersion } from '../../../src/modules/projections/declared-version.js';
import { projection, type ProjectionDefinition } from '../../../src/modules/projections/projection.js';
import { ProcessRegistry } from '../../../src/modules/projections/supervisor/process-registry.js';
import { ProjectionEngine, type ProjectionEngineOptions } from '../../../src/modules/projections/supervisor/supervisor.js';
import { openHouse, type House } from './house.js';
import { history } from './happenings.js';
import { accounts, KindRow, kindsV1, Paid } from './ledger.js';

const kinds = () => projection({ name: 'kinds', version: 1, from: [accounts], table: KindRow });
const key = { key: (e: { readonly data: { readonly kind: string } }) => ({ kind: e.data.kind }) };
const doubled = kinds().on(Paid, key, (row, e) => ({
  kind: e.data.kind,
  cents: (row?.cents ?? 0n) + 2n * BigInt(e.data.cents),
  payments: (row?.payments ?? 0) + 1,
}));
const tripled = kinds().on(Paid, key, (row, e) => ({
  kind: e.data.kind,
  cents: (row?.cents ?? 0n) + 3n * BigInt(e.data.cents),
  payments: (row?.payments ?? 0) + 1,
}));

describe('an engine beside other code of its version', { timeout: 60_000 }, () => {
  let house: House;
  const engines: ProjectionEngine[] = [];
  beforeEach(async () => {
    house = await openHouse();
    await house.append(history(300));
  });
  afterEach(async () => {
    await Promise.all(engines.splice(0).map((engine) => engine.stop()));
    await house.stop();
  });

  const engine = (
    definition: ProjectionDefinition,
    more: Partial<ProjectionEngineOptions> = {},
    where: House = house,
  ): ProjectionEngine => {
    const made = new ProjectionEngine({ ...where, codec: jsonCodec, projections: [definition], application: 'test', ...more });
    engines.push(made);
    return made;
  };
  const liveWith = async (definition: ProjectionDefinition, policy: 'rebuild' | 'warn' = 'warn') => {
    const first = engine(definition, { onChangedCode: policy });
    await first.start();
    const live = await house.live('kinds');
    await first.stop();
    return live;
  };
  const states = async (): Promise<readonly string[]> =>
    (await house.builds.list('kinds')).map(({ number, state }) => `${number} ${state}`);

  it.each(['warn', 'rebuild'] as const)(
    'leaves alone what a process with that code is about, and takes its place when that process has gone (policy %s)',
    async (policy) => {
      await liveWith(kindsV1);
      const newer = new ProcessRegistry(house.database, 'newer', [declaredVersion(doubled)]);
      await newer.beat();
      const { build } = await house.newBuild(doubled, { swapWhenReady: true });
      await engine(kindsV1, { onChangedCode: policy }).start();
      expect(house.lines.filter((line) => line.includes('kinds v1 build 2 is on its way with other code'))).toHaveLength(1);
      await house.looked(6);
      expect(await states()).toEqual(['1 live', '2 planned']);
      await newer.leave();
      await house.stateOf({ build }, 'dropped');
      const live = await house.live('kinds');
      expect(live.number).toBe(3);
      const work = house.work(live, kindsV1);
      expect(await house.rows(work)).toEqual(await house.cleanFold(kindsV1, work));
    },
  );

  it('leaves alone what a command holds the lease of', async () => {
    await liveWith(kindsV1);
    const { build } = await house.newBuild(doubled, { swapWhenReady: true });
    await house.builds.lease(build.id, randomUUID(), 60_000);
    await engine(kindsV1).start();
    await house.looked(6);
    expect(await states()).toEqual(['1 live', '2 planned']);
  });

  it('is no longer concerned with what it left alone once that is live: it does not bring its own code back', async () => {
    await liveWith(kindsV1);
    const other = await house.another();
    const newer = engine(doubled, { onChangedCode: 'warn' }, other);
    await newer.start();
    const { build } = await house.newBuild(doubled, { swapWhenReady: true });
    await engine(kindsV1, { onChangedCode: 'rebuild' }).start();
    await house.stateOf({ build }, 'live');
    await house.said('its handlers changed since it was built');
    expect(await states()).toEqual(['1 standby', '2 live']);
  });

  it('clears away in development all that was built with former code, also after two quick changes', async () => {
    const first = await liveWith(kindsV1, 'rebuild');
    // The second change came before the rebuild for the first was seen.
    const { build: second } = await house.newBuild(doubled, { swapWhenReady: true });
    await engine(tripled, { onChangedCode: 'rebuild' }).start();
    await house.stateOf({ build: first }, 'dropped');
    await house.stateOf({ build: second }, 'dropped');
    expect(await states()).toEqual(['3 live']);
    const work = house.work(await house.live('kinds'), tripled);
    expect(await house.rows(work)).toEqual(await house.cleanFold(tripled, work));
  });

  it('clears away in development what a process left that ended after its swap', async () => {
    const first = await liveWith(kindsV1, 'rebuild');
    await house.rebuild({ works: [await house.newBuild(doubled, { swapWhenReady: true })] });
    expect(await states()).toEqual(['1 standby', '2 live']);
    await engine(doubled, { onChangedCode: 'rebuild' }).start();
    await house.stateOf({ build: first }, 'dropped');
  });

  it('keeps in production what stands by with former code, so that one can go back to it', async () => {
    await liveWith(kindsV1);
    await house.rebuild({ works: [await house.newBuild(doubled, { swapWhenReady: true })] });
    await engine(doubled, { onChangedCode: 'warn' }).start();
    await house.looked(4);
    expect(await states()).toEqual(['1 standby', '2 live']);
  });

  it('ends a standby build whose window is over together with other processes, and none of them complains', async () => {
    const other = await house.another();
    await house.rebuild({ works: [await house.newBuild(kindsV1, { swapWhenReady: true })] });
    const former = await house.live('kinds');
    await house.rebuild({ works: [await house.newBuild(kindsV1, { swapWhenReady: true })] });
    await house.database.query('update builds set standby_until = now() where id = $1', [former.id]);
    // Both have seen that its window is over before either ends it.
    const both = gate(2);
    for (const each of [house, other]) {
      const move = each.builds.move.bind(each.builds);
      each.builds.move = async (build, to, options) => {
        if (to === 'retired') await both();
        return move(build, to, options);
      };
    }
    await Promise.all([engine(kindsV1).start(), engine(kindsV1, {}, other).start()]);
    await house.stateOf({ build: former }, 'retired');
    await Promise.all([house.looked(4), other.looked(4)]);
    expect([...house.lines, ...other.lines].filter((line) => line.includes('KAPPA_BUILD_STATE'))).toEqual([]);
  });

  it('does not take up at every start what failed on another log: beside a live build it says what to do', async () => {
    await liveWith(kindsV1);
    const { build } = await house.newBuild(kindsV1);
    await house.builds.move(build.id, 'building');
    await house.builds.move(build.id, 'failed');
    await house.database.query(`update progress set topic_incarnation = 'former' where build_id = $1`, [build.id]);
    await engine(kindsV1).start();
    await house.said('kinds v1 build 2 does not belong to this log');
    await house.looked(4);
    expect(await states()).toEqual(['1 live', '2 failed']);
  });

  it('makes the next first build where the first one failed on another log', async () => {
    const { build } = await house.newBuild(kindsV1, { swapWhenReady: true });
    await house.builds.move(build.id, 'building');
    await house.builds.move(build.id, 'failed');
    await house.database.query(`update progress set log_cluster = 'former' where build_id = $1`, [build.id]);
    await engine(kindsV1).start();
    expect(await house.live('kinds')).toMatchObject({ number: 2 });
  });
});

/** Lets callers through once so many are there. */
function gate(count: number): () => Promise<void> {
  let open = (): void => undefined;
  const opened = new Promise<void>((resolve) => (open = resolve));
  let there = 0;
  return () => {
    there += 1;
    if (there === count) open();
    return opened;
  };
}
