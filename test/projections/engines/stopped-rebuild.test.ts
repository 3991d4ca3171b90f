import { randomUUID } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { PartitionKey } from '../../../src/kernel/position.js';
import { BulkBuild } from '../../../src/modules/projections/rebuild/bulk-build.js';
import { rebuildProjections } from '../../../src/modules/projections/rebuild/rebuild-projections.js';
import { history } from './happenings.js';
import { openHouse, sumOf, type House } from './house.js';
import { accountsV1, flowsV1, kindsV1 } from './ledger.js';

describe('a rebuild that is stopped', { timeout: 30_000 }, () => {
  let house: House;
  beforeEach(async () => {
    house = await openHouse();
    await house.append(history(4_000, { accounts: 500, seed: 3 }));
  });
  afterEach(() => house.stop());

  it('keeps what it has in memory, with the checkpoint, and goes on from there', async () => {
    const definitions = [accountsV1, flowsV1, kindsV1];
    const works = await Promise.all(definitions.map((definition) => house.newBuild(definition)));
    const stop = new AbortController();
    let seen = 0;
    // Nothing is written before the stop: neither memory nor time asks for it.
    const request = { works, checkpointMs: 3_600_000, batchRecords: 100, maxEventsPerSecond: 1_000 };
    for await (const step of rebuildProjections(house, { ...request, signal: stop.signal })) {
      if (step.phase !== 'building' || step.events < 100) continue;
      seen = Math.max(seen, step.events);
      stop.abort();
    }
    for (const [i, definition] of definitions.entries()) {
      const stood = await house.standsAt(works[i]!);
      expect(sumOf(stood)).toBeGreaterThanOrEqual(seen);
      expect(sumOf(stood)).toBeLessThan(4_000);
      expect(await house.rows(works[i]!)).toEqual(await house.cleanFold(definition, works[i]!, stood));
    }
    await house.rebuild({ works });
    for (const [i, definition] of definitions.entries())
      expect(await house.rows(works[i]!)).toEqual(await house.cleanFold(definition, works[i]!));
  });

  it('is taken up again when whoever took it over is gone', async () => {
    const work = await house.newBuild(accountsV1);
    const paced = { works: [work], checkpointMs: 0, batchRecords: 100, maxEventsPerSecond: 2_000, leaseMs: 500 };
    const rebuilt = house.rebuild(paced);
    await house.movedOn(work);
    // As another process does that takes a rebuild over, and is killed.
    await house.database.query('update builds set worker = $2, worker_until = now() + $3::interval where id = $1', [
      work.build.id,
      randomUUID(),
      '2 seconds',
    ]);
    await house.builds.claim(work.build.id, Object.keys(await house.standsAt(work)) as PartitionKey[]);
    await rebuilt;
    expect(await house.rows(work)).toEqual(await house.cleanFold(accountsV1, work));
  });

  it.each([false, true])('writes nothing of it where that would take too long (the rows stood already: %s)', async (stood) => {
    const work = await house.newBuild(kindsV1);
    await house.builds.move(work.build.id, 'building');
    await work.table.create(house.database);
    const bulk = new BulkBuild(house, work);
    await bulk.claim();
    const { signal: going } = new AbortController();
    const [first, ...rest] = await batches();
    await bulk.take(first!, null, going);
    if (stood) {
      await bulk.write();
      for (const batch of rest) await bulk.take(batch, null, going);
    }
    const [position, rows] = [await house.standsAt(work), await house.rows(work)];
    await house.database.transaction(async (on) => {
      await on.query(`lock table ${work.table.qualifiedName} in share mode`);
      await expect(bulk.write(200)).rejects.toThrow();
    });
    expect(await house.standsAt(work)).toEqual(position);
    expect(await house.rows(work)).toEqual(rows);
    await bulk.write(60_000);
    const now = await house.standsAt(work);
    expect(sumOf(now)).toBeGreaterThan(sumOf(position));
    expect(await house.rows(work)).toEqual(await house.cleanFold(kindsV1, work, now));
  });

  async function batches() {
    const found = [];
    const bounds = await house.log.offsets(kindsV1.from[0]!.name);
    const position = (of: 'begin' | 'end') =>
      Object.fromEntries(bounds.map((each) => [`accounts/${each.partition}`, each[of]] as const));
    for await (const batch of house.log.read({ from: position('begin'), to: position('end') })) found.push(batch);
    return found;
  }
});
