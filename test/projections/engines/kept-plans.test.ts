import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Database } from '../../../src/database/database.js';
import { KeptPlans } from '../../../src/database/kept-plans.js';
import { partitionKey, type PartitionKey } from '../../../src/kernel/position.js';
import type { ProjectionDefinition } from '../../../src/modules/projections/projection.js';
import { BatchPart } from '../../../src/modules/projections/runner/batch-part.js';
import { foldBatch, type BuildWork } from '../../../src/modules/projections/runner/fold-batch.js';
import { history } from './happenings.js';
import { openHouse, type House } from './house.js';
import { accounts, accountsV1, kindsV1, PARTITIONS } from './ledger.js';

interface Kept {
  readonly name: string;
  readonly statement: string;
  readonly generic_plans: number;
}

describe('the plans of batches', () => {
  let house: House;
  let database: Database;
  beforeEach(async () => {
    house = await openHouse();
    // All statements meet on one connection.
    database = new Database({ url: house.url, poolSize: 1 });
  });
  afterEach(async () => {
    await database.stop();
    await house.stop();
  });

  /** Folds what the build has not seen in batches of so many records; `meanwhile` runs before each. */
  async function fold(
    work: BuildWork,
    plans: KeptPlans,
    maxBatchRecords: number,
    meanwhile: () => Promise<unknown> = async () => undefined,
  ): Promise<void> {
    const keys = Array.from({ length: PARTITIONS }, (_, partition): PartitionKey => partitionKey(accounts.name, partition));
    const claims = await house.builds.claim(work.build.id, keys);
    const ends = await house.log.offsets(accounts.name);
    const at = new Map(claims.map((claim) => [claim.partition, { epoch: claim.epoch, next: claim.nextOffset }]));
    const from = Object.fromEntries(
      claims.map(({ partition, nextOffset }) => [partitionKey(accounts.name, partition), nextOffset]),
    );
    const to = Object.fromEntries(ends.map(({ partition, end }) => [partitionKey(accounts.name, partition), end]));
    for await (const { topic, partition, records, next } of house.log.read({ from, to, maxBatchRecords })) {
      const owned = at.get(partition)!;
      await meanwhile();
      const part = new BatchPart({ topic, partition, epoch: owned.epoch, from: owned.next, to: next }, records);
      expect(await foldBatch(database, house.builds, work, [part], null, { rows: null, plans })).toBe('advanced');
      owned.next = next;
    }
  }

  const plansOf = (work: BuildWork): KeptPlans =>
    new KeptPlans('kappa_batch', [work.table.qualifiedName, '"kappa"."progress"']);
  const kept = async (): Promise<readonly Kept[]> =>
    (
      await database.query<Kept>(
        `select name, statement, generic_plans from pg_prepared_statements where name like 'kappa_batch_%' order by prepare_time`,
      )
    ).rows;
  const build = async (definition: ProjectionDefinition): Promise<BuildWork> => {
    const work = await house.newBuild(definition);
    await house.rebuild({ works: [work] });
    await house.append(history(400, { accounts: 40, seed: 3 }));
    return work;
  };

  it.each([
    ['rows of their own', accountsV1],
    ['shared rows', kindsV1],
  ])('are made once, for %s', async (_, definition) => {
    const work = await build(definition);
    await fold(work, plansOf(work), 10);
    const statements = await kept();
    for (const what of ['insert into', 'update "kappa".progress', 'join'])
      expect(statements.filter(({ statement, generic_plans }) => statement.includes(what) && generic_plans > 5)).not.toEqual(
        [],
      );
    expect(await house.rows(work)).toEqual(await house.cleanFold(definition, work));
  });

  it('are not kept for many rows at once', async () => {
    const work = await house.newBuild(accountsV1);
    await house.rebuild({ works: [work] });
    await house.append(history(8_000, { accounts: 6_000, seed: 4 }));
    await fold(work, plansOf(work), 8_000);
    expect(await kept()).toEqual([]);
    expect(await house.rows(work)).toEqual(await house.cleanFold(accountsV1, work));
  });

  const ALTERED = (table: string): string => `alter table ${table} alter column payments type bigint`;
  it.each([
    ['thrown away by somebody', 'of their own', accountsV1, () => 'deallocate all'],
    ['of a table whose column was changed by hand', 'of their own', accountsV1, ALTERED],
    ['thrown away by somebody', 'that are shared', kindsV1, () => 'deallocate all'],
    ['of a table whose column was changed by hand', 'that are shared', kindsV1, ALTERED],
  ])('are made anew when they were %s, for rows %s', async (_, _rows, definition, change) => {
    const work = await build(definition);
    let batches = 0;
    await fold(work, plansOf(work), 10, async () => {
      batches += 1;
      if (batches === 12) await database.query(change(work.table.qualifiedName));
    });
    expect(batches).toBeGreaterThan(20);
    expect(await kept()).not.toEqual([]);
    expect(await house.rows(work)).toEqual(await house.cleanFold(definition, work));
  });
});
