import { randomBytes } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { partitionOf } from '../../../src/kernel/partitioner.js';
import type { ProjectionDefinition } from '../../../src/modules/projections/projection.js';
import { openHouse, type House } from './house.js';
import { history, recordOf, type Happening } from './happenings.js';
import { Accounts, accountsV1, Flows, flowsV1, kindsV1, Kinds, Opened, Paid, PARTITIONS } from './ledger.js';

const poison: Happening = { account: 'a1', type: Paid, data: { cents: 666, kind: 'k1', to: 'a2' } };
const at = partitionOf('a1', PARTITIONS);

const throwing = Flows.on(Paid, { key: (e) => [{ who: e.stream.id }, { who: e.data.to }] }, (row, e, key) => {
  if (e.data.cents === 666 && key.who === 'a2') throw new Error('cannot be divided');
  const fold = flowsV1.handlers[0]!.run;
  if (fold.kind !== 'fold') throw new Error('unreachable');
  return fold.fold(row, e, key) as never;
});
const wrongColumn = Accounts.on(Opened, (_, e) => ({
  id: e.stream.id,
  owner: e.data.owner,
  cents: 0n,
  payments: 0,
  last: e.occurredAt,
})).on(Paid, (row, e) => row && { ...row, cents: e.data.cents === 666 ? (1.5 as never) : row.cents });
const movedKey = Kinds.on(Paid, { key: (e) => ({ kind: e.data.kind }) }, (_, e) => ({
  kind: e.data.cents === 666 ? 'other' : e.data.kind,
  cents: 0n,
  payments: 0,
}));
const beyondTheType = Kinds.on(Paid, { key: (e) => ({ kind: e.data.kind }) }, (_, e) => ({
  kind: e.data.kind,
  cents: e.data.cents === 666 ? 2n ** 63n : 0n,
  payments: 0,
}));
const notThere = Kinds.on(Paid, { key: (e) => ({ kind: e.data.kind }) }, (_, e) =>
  e.data.cents === 666 ? (undefined as never) : { kind: e.data.kind, cents: 0n, payments: 0 },
);

/** Stops at the first, as every build does where too many stand aside. */
const halting = (definition: ProjectionDefinition): ProjectionDefinition => ({
  ...definition,
  deadLetters: { halt: true, retries: 1 },
});

describe('an event that a projection cannot take in, where it is to halt', () => {
  let house: House;
  beforeEach(async () => {
    house = await openHouse();
  });
  afterEach(() => house.stop());

  const cases: readonly (readonly [string, ProjectionDefinition, string])[] = [
    ['a handler that throws', halting(throwing), 'KAPPA_HANDLER_FAILED'],
    ['a row with a value of the wrong type', halting(wrongColumn), 'KAPPA_BAD_ROW'],
    ['a row whose key was changed', halting(movedKey), 'KAPPA_BAD_ROW'],
    ['a number beyond the column', halting(beyondTheType), 'KAPPA_BAD_ROW'],
    ['a fold that returns nothing', halting(notThere), 'KAPPA_BAD_ROW'],
  ];

  it.each(cases)('stops a live build at %s, with all before it applied and nothing of it', async (_, definition, code) => {
    const work = await house.newBuild(definition);
    const sound = await house.newBuild(kindsV1);
    await house.rebuild({ works: [work, sound] });
    await house.append([{ account: 'a1', type: Opened, data: { owner: 'x' } }, ...history(300, { accounts: 20, seed: 8 })]);
    const [, ends] = [null, await house.log.offsets(definition.from[0]!.name)];
    const position = await house.append([poison, ...history(300, { accounts: 20, seed: 9 })]);
    const runner = house.follow(work);
    house.follow(sound);
    await runner.done;
    const build = await house.builds.get(work.build.id);
    expect(build).toMatchObject({
      state: 'failed',
      error: { code, at: { topic: 'accounts', partition: at, offset: ends[at]!.end, type: 'account.paid' } },
    });
    expect((await house.builds.progress(work.build.id))[at]!.nextOffset).toBe(ends[at]!.end);
    expect(await house.rows(work)).toEqual(await house.cleanFold(definition, work, await house.standsAt(work)));
    await house.reached(sound, position);
    expect(await house.rows(sound)).toEqual(await house.cleanFold(kindsV1, sound));
  });

  it.each(cases)('stops a rebuild at %s, and the others of the pass go on', async (_, definition, code) => {
    await house.append([{ account: 'a1', type: Opened, data: { owner: 'x' } }, ...history(300, { accounts: 20, seed: 8 })]);
    const ends = await house.log.offsets(definition.from[0]!.name);
    await house.append([poison, ...history(300, { accounts: 20, seed: 9 })]);
    const work = await house.newBuild(definition);
    const sound = await house.newBuild(kindsV1);
    await house.rebuild({ works: [work, sound] });
    expect(await house.builds.get(work.build.id)).toMatchObject({
      state: 'failed',
      error: { code, at: { partition: at, offset: ends[at]!.end } },
    });
    expect((await house.builds.progress(work.build.id))[at]!.nextOffset).toBe(ends[at]!.end);
    expect(await house.rows(work)).toEqual(await house.cleanFold(definition, work, await house.standsAt(work)));
    expect(await house.builds.get(sound.build.id)).toMatchObject({ state: 'ready' });
    expect(await house.rows(sound)).toEqual(await house.cleanFold(kindsV1, sound));
  });

  it('is found where its key is too long to be indexed', async () => {
    const long = randomBytes(6_000).toString('hex');
    const keyOf = (cents: number, kind: string): string => (cents === 666 ? long : kind);
    const tooLong = halting(
      Kinds.on(Paid, { key: (e) => ({ kind: keyOf(e.data.cents, e.data.kind) }) }, (_, e) => ({
        kind: keyOf(e.data.cents, e.data.kind),
        cents: 0n,
        payments: 0,
      })),
    );
    const work = await house.newBuild(tooLong);
    await house.rebuild({ works: [work] });
    await house.append([poison]);
    await house.follow(work).done;
    expect(await house.builds.get(work.build.id)).toMatchObject({
      state: 'failed',
      error: { code: 'KAPPA_HANDLER_FAILED', at: { partition: at, offset: 0 } },
    });
  });

  it('leaves the others of the pass alone where a table takes no rows for a reason that names no event', async () => {
    await house.append(history(300, { accounts: 20, seed: 8 }));
    const [work, sound] = [await house.newBuild(flowsV1), await house.newBuild(kindsV1)];
    await work.table.create(house.database);
    await house.database.query(
      `create function refuse() returns trigger language plpgsql as $$ begin raise exception 'closed' using errcode = '0A000'; end $$`,
    );
    await house.database.query(
      `create trigger refuse before insert on ${work.table.qualifiedName} for each row execute function refuse()`,
    );
    await house.rebuild({ works: [work, sound] });
    expect(await house.builds.get(work.build.id)).toMatchObject({ state: 'failed', error: { code: 'KAPPA_BUILD_STOPPED' } });
    expect(await house.builds.get(sound.build.id)).toMatchObject({ state: 'ready' });
    expect(await house.rows(sound)).toEqual(await house.cleanFold(kindsV1, sound));
  });

  it('goes on with the corrected code, from where it stood', async () => {
    await house.append([...history(200, { accounts: 20, seed: 8 }), poison, ...history(200, { accounts: 20, seed: 9 })]);
    const work = await house.newBuild(halting(throwing));
    await house.rebuild({ works: [work] });
    await house.builds.move(work.build.id, 'building', { error: null });
    const corrected = house.work(work.build, flowsV1);
    await house.rebuild({ works: [corrected] });
    expect(await house.builds.get(work.build.id)).toMatchObject({ state: 'ready', error: null });
    expect(await house.rows(corrected)).toEqual(await house.cleanFold(flowsV1, corrected));
  });

  it('is found by halving where only the database refuses its row, live and in a rebuild', async () => {
    const refuse = (table: string) => house.database.query(`alter table ${table} add constraint small check (cents <> 666)`);
    const kinds = halting(
      Kinds.on(Paid, { key: (e) => ({ kind: `${e.stream.id} ${e.offset}` }) }, (_, e) => ({
        kind: `${e.stream.id} ${e.offset}`,
        cents: BigInt(e.data.cents),
        payments: 1,
      })),
    );
    const work = await house.newBuild(kinds);
    await house.rebuild({ works: [work] });
    await refuse(work.table.qualifiedName);
    await house.append(history(500, { accounts: 20, seed: 8 }));
    const ends = await house.log.offsets(kinds.from[0]!.name);
    await house.append([poison, ...history(500, { accounts: 20, seed: 9 })]);
    await house.follow(work).done;
    const failed = { state: 'failed', error: { code: 'KAPPA_HANDLER_FAILED', at: { partition: at, offset: ends[at]!.end } } };
    expect(await house.builds.get(work.build.id)).toMatchObject(failed);
    expect(await house.rows(work)).toEqual(await house.cleanFold(kinds, work, await house.standsAt(work)));

    const again = await house.newBuild(kinds);
    await again.table.create(house.database);
    await refuse(again.table.qualifiedName);
    await house.rebuild({ works: [again] });
    expect(await house.builds.get(again.build.id)).toMatchObject(failed);
    expect(await house.rows(again)).toEqual(await house.cleanFold(kinds, again, await house.standsAt(again)));
  });

  it('may be bytes that are no JSON, or of a tenant that the rows cannot name', async () => {
    for (const [record, code] of [
      [{ ...recordOf(poison, 1), value: Buffer.from('{') }, 'KAPPA_UNDECODABLE'],
      [
        { ...recordOf(poison, 1), headers: { ...recordOf(poison, 1).headers, ce_tenant: 'acme' } },
        'KAPPA_TENANT_COLUMN_MISSING',
      ],
      [
        { ...recordOf(poison, 1), headers: { ...recordOf(poison, 1).headers, ce_eventversion: '9' } },
        'KAPPA_UNKNOWN_EVENT_VERSION',
      ],
    ] as const) {
      const fresh = await openHouse();
      await fresh.append(history(50));
      await fresh.appendRecords([record]);
      const work = await fresh.newBuild(halting(accountsV1));
      await fresh.rebuild({ works: [work] });
      expect(await fresh.builds.get(work.build.id)).toMatchObject({ state: 'failed', error: { code } });
      await fresh.stop();
    }
  });

  it('is refused as a build of a log whose begin is gone, unless what is retained is accepted', async () => {
    await house.append(history(100));
    await house.database
      .query(`insert into partition_begins (topic_id, partition, begin_offset) select id, 0, 3 from topics`)
      .catch(() => undefined);
    const bounds = await house.log.offsets(accountsV1.from[0]!.name);
    expect(bounds[0]!.begin).toBe(3);
    await expect(house.newBuild(accountsV1)).rejects.toMatchObject({ code: 'KAPPA_LOG_TRUNCATED' });
    await house.rebuild({ works: [await house.newBuild(accountsV1, { fromRetained: true })] });
  });
});
