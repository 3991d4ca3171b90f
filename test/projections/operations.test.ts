import { Column, Entity } from 'typeorm';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { jsonCodec } from '../../src/kernel/codec.js';
import type { Build, PartitionProgress } from '../../src/modules/projections/build.js';
import { declaredVersion } from '../../src/modules/projections/declared-version.js';
import { projection, type ProjectionDefinition } from '../../src/modules/projections/projection.js';
import type { RebuildProgress } from '../../src/modules/projections/operations.js';
import { Operations } from '../../src/modules/projections/supervisor/operations.js';
import { ProcessRegistry } from '../../src/modules/projections/supervisor/process-registry.js';
import { history } from './engines/happenings.js';
import { openHouse, type House } from './engines/house.js';
import { AccountRow, accounts, accountsV1, KindRow, kindsV1, Opened, Paid } from './engines/ledger.js';
import { someoneWaitsForALock } from './swap-scene.js';

@Entity({ synchronize: false })
class AccountV2Row extends AccountRow {
  @Column('int') opened!: number;
}

const accountsV2 = projection({ name: 'accounts', version: 2, from: [accounts], table: AccountV2Row }).on(Opened, (row, e) => ({
  id: e.stream.id,
  owner: e.data.owner,
  cents: 0n,
  payments: 0,
  last: e.occurredAt,
  opened: (row?.opened ?? 0) + 1,
}));

/** The same meaning in another text. */
const kindsRewritten = projection({ name: 'kinds', version: 1, from: [accounts], table: KindRow }).on(
  Paid,
  { key: (e) => ({ kind: e.data.kind }) },
  (row, e, key) => ({ kind: key.kind, cents: BigInt(e.data.cents) + (row?.cents ?? 0n), payments: 1 + (row?.payments ?? 0) }),
);

describe('operations', () => {
  let house: House;
  beforeEach(async () => {
    house = await openHouse();
  });
  afterEach(() => house.stop());

  const operations = (...projections: readonly ProjectionDefinition[]): Operations =>
    new Operations({ ...house, codec: jsonCodec, projections });
  const finish = async (steps: AsyncIterable<RebuildProgress>): Promise<readonly RebuildProgress[]> => {
    const last = new Map<number, RebuildProgress>();
    for await (const step of steps) last.set(step.build, step);
    return [...last.values()];
  };
  const total = async (): Promise<unknown> =>
    (await house.database.query('select sum(cents)::text as cents, sum(payments)::int as payments from public.kinds')).rows[0];

  it('rebuild alone, from the loaded definitions, to the swap; then a rebuild of the same code makes the next build', async () => {
    await house.append(history(500));
    const alone = operations(accountsV1, kindsV1);
    expect(
      (await finish(alone.rebuild({ projections: [], all: true, swap: true }))).map((step) => [step.projection, step.phase]),
    ).toEqual([
      ['accounts', 'swapped'],
      ['kinds', 'swapped'],
    ]);
    const before = await total();
    await finish(alone.rebuild({ projections: ['kinds@1'], swap: true }));
    expect(await total()).toEqual(before);
    const [status] = await alone.status(['kinds']);
    expect(
      status?.builds.map(({ build, active, behind, orphaned }) => [build.number, build.state, active, behind, orphaned]),
    ).toEqual([
      [1, 'standby', false, 0, false],
      [2, 'live', true, 0, false],
    ]);
    expect(status?.builds[1]?.rows).toBe(5);
  });

  it('verify, swap, roll back and go forward again, alone, while events go on', async () => {
    await house.append(history(300));
    const alone = operations(kindsV1);
    await finish(alone.rebuild({ projections: ['kinds'], swap: true }));
    await house.append(history(200, { seed: 2 }));
    await finish(alone.rebuild({ projections: ['kinds'] }));
    // The live build has no runner but the command itself.
    expect(await alone.verify('kinds')).toMatchObject({ added: 0, removed: 0, changed: 0, rowsLive: 5 });
    const [swapped] = await alone.swap(['kinds'], { verify: true });
    expect(swapped).toMatchObject({ from: { number: 1 }, to: { number: 2 } });
    await house.append(history(100, { seed: 3 }));
    const [back] = await alone.rollback(['kinds']);
    expect(back).toMatchObject({ from: { number: 2 }, to: { number: 1 } });
    const [forward] = await alone.swap(['kinds']);
    expect(forward).toMatchObject({ from: { number: 1 }, to: { number: 2 } });
    const seen = [...history(300), ...history(200, { seed: 2 })].filter((happening) => happening.type === Paid).length;
    expect(((await total()) as { payments: number }).payments).toBeGreaterThanOrEqual(seen);
    await expect(alone.swap(['kinds'])).rejects.toMatchObject({ code: 'KAPPA_NOTHING_READY' });
  });

  it('show a build as orphaned whose version nobody has, and refuse to go back to it', async () => {
    await house.append(history(100));
    await finish(operations(accountsV1).rebuild({ projections: ['accounts'], swap: true }));
    const withNew = operations(accountsV2);
    await finish(withNew.rebuild({ projections: ['accounts'], swap: true }));
    const orphans = async (of: Operations): Promise<readonly boolean[]> =>
      ((await of.status(['accounts']))[0]?.builds ?? []).map(({ orphaned }) => orphaned);
    expect(await orphans(withNew)).toEqual([true, false]);
    expect(await orphans(operations(accountsV1, accountsV2))).toEqual([false, false]);
    const end = await house.append(history(50, { seed: 4 }));
    await house.reached(house.follow(house.work((await house.builds.active('accounts')) as never, accountsV2)).work, end);
    const refused = await withNew.rollback(['accounts']).catch((error: unknown) => error);
    expect(refused).toMatchObject({ code: 'KAPPA_BUILD_ORPHANED', facts: { version: 1, behind: 50 } });

    // A process that runs the version adopts it, until it leaves.
    const process = new ProcessRegistry(house.database, 'old app', [declaredVersion(accountsV1)]);
    await process.beat();
    expect(await orphans(withNew)).toEqual([false, false]);
    expect((await withNew.status(['accounts']))[0]?.builds[0]?.runners).toBe(1);
    await process.leave();
    expect(await orphans(withNew)).toEqual([true, false]);

    const [stale] = await withNew.rollback(['accounts'], { stale: true });
    expect(stale?.to).toMatchObject({ version: 1, state: 'live' });
  });

  it('plan what would have to be done, in words, and change nothing', async () => {
    await house.append(history(100));
    const actionsOf = async (of: Operations): Promise<readonly unknown[]> =>
      (await of.plan()).map(({ projection: name, version, action, changes }) => [name, version, action, changes]);
    expect(await actionsOf(operations(accountsV1, kindsV1))).toEqual([
      ['accounts', 1, 'first-build', []],
      ['kinds', 1, 'first-build', []],
    ]);
    const both = operations(accountsV1, kindsV1);
    await finish(both.rebuild({ projections: [], all: true, swap: true }));
    expect(await actionsOf(both)).toEqual([
      ['accounts', 1, 'none', []],
      ['kinds', 1, 'none', []],
    ]);
    await house.database.query('create view public.report as select * from public.accounts');
    await house.database.query('grant select on public.accounts to public');
    const [v1, v2] = await operations(accountsV1, accountsV2).plan();
    expect(v1).toMatchObject({ version: 1, action: 'none' });
    expect(v2).toMatchObject({
      action: 'rebuild-needed',
      changes: ['column opened (integer) added', 'event account.closed removed', 'event account.paid removed'],
      estimate: { events: 100 },
      dependants: [
        { kind: 'view', name: 'public.report', effect: 'kept' },
        { kind: 'grant', name: 'SELECT to everyone', effect: 'kept' },
      ],
    });
    expect(v2?.estimate.seconds).toBeGreaterThan(0);
    expect(v2?.estimate.bytes).toBeGreaterThan(0);
    expect(await actionsOf(operations(kindsRewritten))).toEqual([
      ['kinds', 1, 'code-changed', ['the handlers changed since kinds v1 build 1 was built']],
    ]);
    expect((await house.builds.list()).length).toBe(2);
  });

  it('plan says that the live version is not among those loaded, and how both come together again', async () => {
    await house.append(history(100));
    const both = operations(accountsV1, accountsV2);
    const planOf = async (of: Operations) => (await of.plan()).map(({ version, action, next }) => [version, action, next]);
    const rebuilt = async (name: string) => (await finish(both.rebuild({ projections: [name], swap: true })))[0]!.build;
    const v2 = await rebuilt('accounts@2');
    // Nothing is built of v1: going back is a rebuild.
    const [never] = await operations(accountsV1).plan();
    expect(never).toMatchObject({
      version: 1,
      action: 'live-not-loaded',
      changes: ['v2 is live, and its code is not loaded'],
      estimate: { events: 100 },
      next: 'npx nest-kappa projections rebuild accounts@1 --swap; or deploy code with v2',
    });
    const v1 = await rebuilt('accounts@1');
    expect(await planOf(operations(accountsV2))).toEqual([
      [2, 'live-not-loaded', `npx nest-kappa projections rollback accounts --build ${v2}; or deploy code with v1`],
    ]);
    await both.rollback(['accounts'], { build: v2 });
    const [standsBy] = await operations(accountsV1).plan();
    expect(standsBy).toMatchObject({
      action: 'live-not-loaded',
      estimate: { events: 0 },
      next: `npx nest-kappa projections rollback accounts --build ${v1}; or deploy code with v2`,
    });
    const changed: ProjectionDefinition = { ...accountsV2, version: 1 };
    expect((await operations(changed).plan())[0]?.action).toBe('shape-changed');
    // Another process that has the code changes nothing about what is loaded here.
    const process = new ProcessRegistry(house.database, 'new app', [declaredVersion(accountsV2)]);
    await process.beat();
    expect((await operations(accountsV1).plan())[0]?.action).toBe('live-not-loaded');
    await process.leave();
    expect((await both.plan()).map(({ action }) => action)).toEqual(['none', 'none']);
    const v3: ProjectionDefinition = { ...accountsV1, version: 3 };
    expect((await operations(accountsV1, v3).plan()).map(({ action }) => action)).toEqual(['none', 'rebuild-needed']);
  });

  it('plan names a live build that has stopped, the code of the stop and what to do', async () => {
    await house.append(history(100));
    const both = operations(accountsV1, kindsV1);
    await finish(both.rebuild({ projections: [], all: true, swap: true }));
    const stop = (code: string, message: string) =>
      house.database.query(`update builds set error = $1 where projection = 'accounts'`, [
        JSON.stringify({ code, message, stack: null, at: null, since: '' }),
      ]);
    const rebuild = 'npx nest-kappa projections rebuild accounts@1 --swap';
    await stop('KAPPA_LOG_CHANGED', 'KAPPA_LOG_CHANGED: accounts v1 build 1 does not belong to this log.');
    expect(await both.plan()).toMatchObject([
      {
        projection: 'accounts',
        action: 'stopped',
        changes: ['accounts v1 build 1 stopped: KAPPA_LOG_CHANGED: accounts v1 build 1 does not belong to this log.'],
        estimate: { events: 100 },
        next: `Use the log that it was built from, or build from this one: ${rebuild}`,
      },
      { projection: 'kinds', action: 'none' },
    ]);
    await stop('KAPPA_LOG_TRUNCATED', 'KAPPA_LOG_TRUNCATED: its begin is gone.');
    expect((await both.plan())[0]?.next).toBe(`Restore the log, or accept the gap: ${rebuild} --from-retained`);
    await stop('23505', 'duplicate key value');
    expect((await both.plan())[0]).toMatchObject({
      changes: ['accounts v1 build 1 stopped: 23505: duplicate key value'],
      next: `Correct what stopped it and start the application again, or ${rebuild}`,
    });
    // What is live of another version is told with that one.
    const v3: ProjectionDefinition = { ...accountsV1, version: 3 };
    expect((await operations(accountsV1, v3).plan()).map(({ version, action }) => [version, action])).toEqual([
      [1, 'stopped'],
      [3, 'rebuild-needed'],
    ]);
  });

  it('plan says what a swap would do to those who stand on a column that goes', async () => {
    const wide = operations(accountsV2);
    await finish(wide.rebuild({ projections: ['accounts'], swap: true }));
    await house.database.query('create view public.report as select * from public.accounts');
    await house.database.query('grant select on public.accounts to public');
    const v3: ProjectionDefinition = { ...accountsV1, version: 3 };
    const entry = (await operations(v3).plan())[0];
    expect(entry?.dependants).toEqual([
      { kind: 'view', name: 'public.report', effect: 'refused' },
      { kind: 'grant', name: 'SELECT to everyone', effect: 'restored' },
    ]);
    await expect(finish(operations(v3).rebuild({ projections: ['accounts'], swap: true }))).rejects.toMatchObject({
      code: 'KAPPA_VIEW_HAS_DEPENDANTS',
    });
  });

  it('accept changed code as meaning the same, and say who did', async () => {
    await finish(operations(kindsV1).rebuild({ projections: ['kinds'], swap: true }));
    const changed = operations(kindsRewritten);
    await changed.accept('kinds', { by: 'ada' });
    expect((await changed.plan())[0]?.action).toBe('none');
    expect((await operations(kindsV1).plan())[0]?.action).toBe('none');
    const { rows } = await house.database.query(`select facts ->> 'by' as by from projection_audit where action = 'accept'`);
    expect(rows).toEqual([{ by: 'ada' }]);
  });

  it('refuse a changed shape under an unchanged version, and a name that is not declared', async () => {
    await house.append(history(50));
    await finish(operations(accountsV1).rebuild({ projections: ['accounts'], swap: true }));
    const otherShape = operations({ ...accountsV2, version: 1 });
    await expect(finish(otherShape.rebuild({ projections: ['accounts'] }))).rejects.toMatchObject({
      code: 'KAPPA_SHAPE_CHANGED',
    });

    await expect(finish(operations(accountsV1).rebuild({ projections: ['acounts'] }))).rejects.toThrow(/did you mean accounts/);
  });

  it('retire and drop builds, and never one that readers see', async () => {
    const alone = operations(kindsV1);
    await finish(alone.rebuild({ projections: ['kinds'], swap: true }));
    await finish(alone.rebuild({ projections: ['kinds'], swap: true }));
    const [first, second] = await house.builds.list('kinds');
    await expect(alone.drop('kinds', { build: first?.id ?? 0 })).rejects.toMatchObject({ code: 'KAPPA_BUILD_STATE' });
    await expect(alone.drop('kinds', { build: second?.id ?? 0 })).rejects.toMatchObject({ code: 'KAPPA_BUILD_STATE' });
    expect((await alone.retire('kinds')).map((build) => build.state)).toEqual(['retired']);
    await expect(alone.rollback(['kinds'])).rejects.toMatchObject({ code: 'KAPPA_NO_STANDBY' });

    await house.database.query(`create view public.nosy as select * from "${first?.tableName ?? ''}"`);
    await expect(alone.drop('kinds')).rejects.toMatchObject({ code: 'KAPPA_TABLE_HAS_DEPENDANTS' });
    await house.database.query('drop view public.nosy');
    expect((await alone.drop('kinds')).map((build) => build.id)).toEqual([first?.id]);
    expect((await house.database.query('select to_regclass($1) as table', [first?.tableName])).rows).toEqual([{ table: null }]);
    expect((await house.builds.list('kinds')).map((build) => build.id)).toEqual([second?.id]);

    // What is on its way is dropped only by name.
    await finish(alone.rebuild({ projections: ['kinds'] }));
    const ready = (await house.builds.list('kinds')).at(-1);
    expect(await alone.drop('kinds')).toEqual([]);
    const byName = { build: ready?.id ?? 0 };
    await house.database.query(`create view public.nosy as select * from "${ready?.tableName ?? ''}"`);
    await expect(alone.drop('kinds', byName)).rejects.toMatchObject({ code: 'KAPPA_TABLE_HAS_DEPENDANTS' });
    await house.database.query('drop view public.nosy');
    await house.database.transaction(async (on) => {
      const { rows } = await on.query<{ pid: number }>(
        `select pg_backend_pid() as pid, count(*) from "${ready?.tableName ?? ''}"`,
      );
      await expect(alone.drop('kinds', byName)).rejects.toMatchObject({
        code: 'KAPPA_TABLE_HELD',
        facts: { holders: [{ pid: rows[0]?.pid }] },
      });
    });
    // What was refused has ended nothing.
    expect((await house.builds.get(byName.build))?.state).toBe('ready');
    expect(await alone.drop('kinds', byName)).toMatchObject([{ state: 'dropped' }]);
    await expect(alone.retire('nothing')).rejects.toMatchObject({ code: 'KAPPA_UNKNOWN_PROJECTION' });
  });

  it.each(['retired', 'ready'])(
    'wait for the table of a %s build to drop it, and hold nothing its writers wait for',
    async (state) => {
      await house.append(history(100));
      const alone = operations(kindsV1);
      await finish(alone.rebuild({ projections: ['kinds'], swap: true }));
      await finish(alone.rebuild({ projections: ['kinds'], swap: state === 'retired' }));
      await alone.retire('kinds');
      const build = (await house.builds.list('kinds')).find((each) => each.state === state) as Build;
      const [line] = await house.builds.progress(build.id);
      let dropping: Promise<unknown> = Promise.resolve();
      // A batch has the table as soon as its statement is planned, and the lines of its progress after that.
      await house.database.transaction(async (on) => {
        await on.query(`lock table "${build.tableName}" in row exclusive mode`);
        dropping = alone.drop('kinds', { build: build.id }).catch((error: unknown) => error);
        await someoneWaitsForALock(house.database);
        const { topic, partition, ownerEpoch, nextOffset } = line as PartitionProgress;
        const stale = { topic, partition, epoch: ownerEpoch - 1, from: nextOffset, to: nextOffset };
        expect(await house.builds.advance(on, build.id, [stale])).toBe('fenced');
      });
      expect(await dropping).toMatchObject([{ id: build.id, state: 'dropped' }]);
    },
  );
});
