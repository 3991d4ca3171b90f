import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { jsonCodec } from '../../src/kernel/codec.js';
import { projection, type ProjectionDefinition } from '../../src/modules/projections/projection.js';
import type { RebuildOptions, RebuildProgress } from '../../src/modules/projections/operations.js';
import { Readiness } from '../../src/modules/projections/runner/readiness.js';
import { Operations } from '../../src/modules/projections/supervisor/operations.js';
import { ProjectionEngine } from '../../src/modules/projections/supervisor/supervisor.js';
import { history } from './engines/happenings.js';
import { openHouse, type House } from './engines/house.js';
import { accounts, accountsV1, FlowRow, flowsV1, KindRow, kindsV1, Paid } from './engines/ledger.js';

const failing = projection({
  name: 'flows',
  version: 1,
  from: [accounts],
  table: FlowRow,
  deadLetters: { halt: true, retries: 0 },
}).on(Paid, { key: (e) => [{ who: e.stream.id }, { who: e.data.to }] }, () => {
  throw new Error('not yet written');
});
const kindsOtherwise = projection({ name: 'kinds', version: 1, from: [accounts], table: KindRow }).on(
  Paid,
  { key: (e) => ({ kind: e.data.kind }) },
  (row, e, key) => ({
    kind: key.kind,
    cents: (row?.cents ?? 0n) + 2n * BigInt(e.data.cents),
    payments: (row?.payments ?? 0) + 1,
  }),
);

describe('a swap group', { timeout: 60_000 }, () => {
  let house: House;
  beforeEach(async () => {
    house = await openHouse();
    await house.append(history(300));
  });
  afterEach(() => house.stop());

  const operations = (...projections: readonly ProjectionDefinition[]): Operations =>
    new Operations({ ...house, codec: jsonCodec, projections });
  const rebuild = async (of: Operations, options: RebuildOptions): Promise<ReadonlyMap<string, RebuildProgress>> => {
    const last = new Map<string, RebuildProgress>();
    for await (const step of of.rebuild(options)) last.set(step.projection, step);
    return last;
  };
  const together = { projections: ['kinds', 'flows'], swap: true, group: true } as const;
  const swappingBuild = (definition: ProjectionDefinition, swapGroup: string) =>
    house.newBuild(definition, { swapWhenReady: true, swapGroup });

  it('ends where a member fails: the others stay ready, and it is said why they are not swapped', async () => {
    const end = await rebuild(operations(kindsV1, failing), together);
    expect(end.get('flows')).toMatchObject({ phase: 'failed' });
    expect(end.get('kinds')).toMatchObject({ phase: 'ready' });
    expect(end.get('kinds')?.error).toMatch(
      /^kinds v1 build 1 does not swap by itself any more: flows v1 build 1 of its group is failed\. .*rebuild kinds@1 flows@1 --swap --group/,
    );
    expect(house.lines.filter((line) => line.includes('kinds v1 build 1 does not swap by itself'))).toHaveLength(1);
    const [, kinds] = await operations(kindsV1).status();
    expect(kinds?.builds[0]).toMatchObject({ build: { state: 'ready', swapWhenReady: false } });
    expect(kinds?.builds[0]?.groupEnded).toBe(end.get('kinds')?.error);
    expect(await house.builds.active('kinds')).toBeNull();
  });

  it('that ended is taken up by the same command, the ready builds as they are', async () => {
    await rebuild(operations(kindsV1, failing), together);
    const again = await rebuild(operations(kindsV1, flowsV1), together);
    expect([...again.values()].map(({ projection: name, number, phase, error }) => [name, number, phase, error])).toEqual([
      ['kinds', 1, 'swapped', null],
      ['flows', 2, 'swapped', null],
    ]);
    expect((await operations(kindsV1).status(['kinds']))[0]?.builds[0]?.groupEnded).toBeNull();
  });

  it('of which another command names a part is not taken up: the ready build is finished work there', async () => {
    await rebuild(operations(kindsV1, failing), together);
    const alone = await rebuild(operations(kindsV1, flowsV1), { projections: ['kinds'], swap: true });
    expect(alone.get('kinds')).toMatchObject({ number: 2, phase: 'swapped' });
    expect((await house.builds.list('kinds')).map(({ number, state }) => [number, state])).toEqual([
      [1, 'aborted'],
      [2, 'live'],
    ]);
  });

  it.each(['aborted', 'dropped'] as const)(
    'ends where a member is %s by hand, also while a process waits for it',
    async (how) => {
      const group = '00000000-0000-4000-8000-000000000001';
      const [kinds, flows] = [await swappingBuild(kindsV1, group), await swappingBuild(flowsV1, group)];
      const engine = new ProjectionEngine({ ...house, codec: jsonCodec, projections: [kindsV1], application: 'test' });
      await engine.start();
      await house.stateOf(kinds, 'ready');
      if (how === 'aborted') await house.builds.move(flows.build.id, 'aborted');
      else await operations(flowsV1).drop('flows', { build: flows.build.id });
      // Before it is dropped it is aborted, and that may be seen.
      await house.said('kinds v1 build 1 does not swap by itself any more: flows v1 build 1 of its group is ');
      await engine.stop();
      expect(await house.builds.get(kinds.build.id)).toMatchObject({ state: 'ready', swapWhenReady: false });
    },
  );

  it('goes on where a newer build took the place of a member', async () => {
    const group = '00000000-0000-4000-8000-000000000002';
    const [kinds, flows] = [await swappingBuild(kindsV1, group), await swappingBuild(flowsV1, group)];
    const engine = new ProjectionEngine({
      ...house,
      codec: jsonCodec,
      projections: [kindsOtherwise, flowsV1],
      application: 'test',
    });
    await engine.start();
    const live = await house.live('kinds');
    await engine.stop();
    expect(live).toMatchObject({ number: 2, swapGroup: group });
    expect((await house.builds.active('flows'))?.id).toBe(flows.build.id);
    expect((await house.builds.list('kinds')).find(({ id }) => id === kinds.build.id)?.state ?? 'dropped').toMatch(
      /aborted|dropped/,
    );
  });

  it('of one that swapped alone before counts the others only', async () => {
    const group = '00000000-0000-4000-8000-000000000003';
    const works = [await swappingBuild(kindsV1, group), await swappingBuild(accountsV1, group)];
    for (const state of ['building', 'catching-up', 'ready', 'live', 'standby', 'retired', 'dropped'] as const)
      await house.builds.move(works[0]!.build.id, state);
    for (const state of ['building', 'catching-up', 'ready'] as const) await house.builds.move(works[1]!.build.id, state);
    const swapped: number[][] = [];
    const readiness = new Readiness(house, (builds) => Promise.resolve(swapped.push(builds.map(({ id }) => id))));
    await readiness.look((await house.builds.get(works[1]!.build.id))!);
    expect(swapped).toEqual([[works[1]!.build.id]]);
  });
});
