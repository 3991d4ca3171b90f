import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Build } from '../../src/modules/projections/build.js';
import { createBuildTable } from '../../src/modules/projections/build-table.js';
import { setHold } from '../../src/modules/projections/hold-builds.js';
import { compareTables } from '../../src/modules/projections/verify/compare-tables.js';
import { verifyBuilds } from '../../src/modules/projections/verify/verify-builds.js';
import { column, ID, SwapScene, tableOf } from './swap-scene.js';

describe('a verification', () => {
  let scene: SwapScene;
  beforeEach(async () => {
    scene = await SwapScene.start();
  });
  afterEach(() => scene.stop());

  const holds = async (...builds: readonly Build[]): Promise<readonly (number | null)[]> => {
    const { rows } = await scene.database.query<{ hold_at: number | null }>(
      'select hold_at from progress where build_id = any($1::bigint[]) order by build_id, partition',
      [builds.map((build) => build.id)],
    );
    return rows.map((row) => row.hold_at);
  };

  it('tells rows added, removed and changed at one position, with samples as text', async () => {
    const live = await scene.build('fines', {
      rows: [
        { id: 'a', paid: '1.00' },
        { id: 'b', paid: '2.00' },
        { id: 'c', paid: '3.10' },
      ],
      offsets: [5, 7],
    });
    const candidate = await scene.build('fines', {
      rows: [
        { id: 'b', paid: '2.00' },
        { id: 'c', paid: '3.20' },
        { id: 'd', paid: '4.00' },
      ],
      offsets: [5, 7],
    });
    expect(await verifyBuilds(scene.context, live, candidate)).toMatchObject({
      projection: 'fines',
      at: { 'fines/0': 5, 'fines/1': 7 },
      rowsLive: 3,
      rowsCandidate: 3,
      added: 1,
      removed: 1,
      changed: 1,
      samples: [
        { key: 'a', live: { id: 'a', paid: '1.00' }, candidate: null },
        { key: 'c', live: { id: 'c', paid: '3.10' }, candidate: { id: 'c', paid: '3.20' } },
        { key: 'd', live: null, candidate: { id: 'd', paid: '4.00' } },
      ],
    });
    expect(await holds(live, candidate)).toEqual([null, null, null, null]);
  });

  it('answers although its holds cannot be lifted at its end: they run out by themselves', async () => {
    const rows = [{ id: 'a', paid: '1.00' }];
    const [live, candidate] = [await scene.build('fines', { rows }), await scene.build('fines', { rows })];
    await scene.database.query(
      `create function refuse() returns trigger language plpgsql as $$ begin raise exception 'away' using errcode = '40P01'; end $$`,
    );
    await scene.database.query(
      `create trigger refuse before update on progress for each row when (new.hold_at is null) execute function refuse()`,
    );
    expect(await verifyBuilds(scene.context, live, candidate)).toMatchObject({ added: 0, removed: 0, changed: 0 });
  });

  it('stops both builds at the later of both positions, partition by partition, and lets them go on', async () => {
    const live = await scene.build('fines', { rows: [{ id: 'a', paid: '1.00' }], offsets: [9, 3] });
    const candidate = await scene.build('fines', { rows: [{ id: 'a', paid: '1.00' }], offsets: [6, 8] });
    const stop = new AbortController();
    /** A runner that never tires: it goes on wherever it is not held. */
    const run = async (build: Build): Promise<void> => {
      const claims = await scene.store.claim(build.id, ['fines/0', 'fines/1']);
      const at = new Map(claims.map((claim) => [claim.partition, claim]));
      for (let turn = 0; !stop.signal.aborted; turn += 1) {
        const claim = at.get(turn % 2);
        if (!claim) continue;
        const move = {
          topic: 'fines',
          partition: claim.partition,
          epoch: claim.epoch,
          from: claim.nextOffset,
          to: claim.nextOffset + 1,
        };
        const outcome = await scene.store.advance(scene.database, build.id, [move]);
        if (outcome === 'advanced') at.set(claim.partition, { ...claim, nextOffset: move.to });
      }
    };
    const runners = [run(live), run(candidate)];
    const result = await verifyBuilds(scene.context, live, candidate);
    const after = await scene.store.progress(live.id);
    stop.abort();
    await Promise.all(runners);
    expect(result).toMatchObject({ added: 0, removed: 0, changed: 0 });
    expect(result.at['fines/0']).toBeGreaterThanOrEqual(9);
    expect(result.at['fines/1']).toBeGreaterThanOrEqual(8);
    expect(after[0]?.nextOffset).toBeGreaterThanOrEqual(result.at['fines/0'] ?? 0);
  });

  it('gives up with words when a build does not come to the position, and holds nothing any more', async () => {
    const live = await scene.build('fines', { offsets: [9] });
    const dead = await scene.build('fines', { offsets: [6] });
    await expect(verifyBuilds(scene.context, live, dead, { reachWithinMs: 30 })).rejects.toMatchObject({
      code: 'KAPPA_VERIFY_NOT_REACHED',
      facts: { builds: [{ build: 'fines v1 build 2', position: 'fines/0:6', wanted: 'fines/0:9' }] },
    });
    expect(await holds(live, dead)).toEqual([null, null]);
  });

  it('says nothing of rows that moved because a hold ran out', async () => {
    const live = await scene.build('fines', { offsets: [9] });
    const candidate = await scene.build('fines', { offsets: [9] });
    await expect(verifyBuilds(scene.context, live, candidate, { holdMs: 0 })).rejects.toMatchObject({
      code: 'KAPPA_VERIFY_TOO_LONG',
    });
  });

  it('leaves another comparison alone', async () => {
    const live = await scene.build('fines', { offsets: [9] });
    const candidate = await scene.build('fines', { offsets: [9] });
    await setHold(scene.database, 'kappa', live.id, { 'fines/0': 9 }, 60_000);
    await expect(verifyBuilds(scene.context, live, candidate)).rejects.toMatchObject({ code: 'KAPPA_VERIFY_BUSY' });
    expect(await holds(live)).toEqual([9]);
  });

  it('compares what both versions have, and refuses where keys differ', async () => {
    const live = await scene.build('fines', { rows: [{ id: 'a', paid: '1.00' }] });
    const wider = tableOf(column('note', 'text'), ID, column('paid', 'text'));
    const next = await scene.build('fines', { version: 2, table: wider, rows: [{ id: 'a', paid: '1.00', note: 'n' }] });
    expect(await verifyBuilds(scene.context, live, next)).toMatchObject({ added: 0, removed: 0, changed: 0 });
    const keyed = await scene.build('fines', {
      version: 3,
      table: tableOf(ID, column('paid', 'numeric(12,2)', { isKey: true })),
    });
    await expect(verifyBuilds(scene.context, live, keyed)).rejects.toMatchObject({ code: 'KAPPA_KEYS_DIFFER' });
  });

  it('finds in ranges exactly what a comparison of the whole finds', async () => {
    const two = tableOf(
      column('tenant', 'text', { isKey: true }),
      column('n', 'integer', { isKey: true, value: 'number' }),
      column('paid', 'numeric(12,2)', { nullable: true }),
    );
    const [live, candidate] = [await scene.build('pairs', { table: two }), await scene.build('pairs', { table: two })];
    const row = fc.record({
      tenant: fc.constantFrom('', 'a', 'B', 'é', 'aa'),
      n: fc.integer({ min: -3, max: 12 }),
      paid: fc.constantFrom('1.00', '2.00', null),
    });
    const rows = fc.uniqueArray(row, { selector: ({ tenant, n }) => `${tenant} ${n}`, maxLength: 40 });
    await fc.assert(
      fc.asyncProperty(rows, rows, fc.integer({ min: 1, max: 5 }), async (a, b, rangeRows) => {
        for (const [build, given] of [
          [live, a],
          [candidate, b],
        ] as const) {
          await scene.database.query(`truncate "${build.tableName}"`);
          await createBuildTable('kappa', build.tableName, two).upsert(scene.database, given);
        }
        const key = (one: (typeof a)[number]): string => `${one.tenant} ${one.n}`;
        const others = new Map(b.map((one) => [key(one), one]));
        const both = a.filter((one) => others.has(key(one)));
        const expected = {
          rowsLive: a.length,
          rowsCandidate: b.length,
          added: b.length - both.length,
          removed: a.length - both.length,
          changed: both.filter((one) => others.get(key(one))?.paid !== one.paid).length,
        };
        const result = await compareTables(scene.database, live, candidate, { samples: 1000, rangeRows });
        expect(result).toMatchObject(expected);
        expect(result.samples.length).toBe(expected.added + expected.removed + expected.changed);
      }),
      { numRuns: 40 },
    );
  });

  it('is of tables whose keys are sorted by bytes, whatever the locale of the database', async () => {
    const build = await scene.build('fines', { rows: ['b', 'A', 'é', 'a', 'Z'].map((id) => ({ id, paid: '1.00' })) });
    const { rows } = await scene.database.query<{ id: string }>(`select id from "${build.tableName}" order by id`);
    expect(rows.map((row) => row.id)).toEqual(['A', 'Z', 'a', 'b', 'é']);
    const { rows: columns } = await scene.database.query(
      `select attcollation::regcollation::text as collation from pg_attribute where attrelid = $1::regclass and attname = 'id'`,
      [build.tableName],
    );
    expect(columns).toEqual([{ collation: '"C"' }]);
  });
});
