import 'reflect-metadata';
import pg from 'pg';
import { describe, expect, it } from 'vitest';
import type { SwapResult } from '../../../src/modules/projections/operations.js';
import { openKappa } from '../../../src/modules/kappa/open-kappa.js';
import { createTestDatabase } from '../../../src/testing/test-server.js';
import { Child } from '../../support/child.js';
import type { Served } from './serving.process.js';
import { tally, talliesV1, talliesV2, talliesV3 } from './tally.js';
import { Watch } from './watch.js';

/** The full walk is `KAPPA_REDEPLOY_ROUNDS=20 npm test -- flow`: 20 rounds with the same columns, 5 with one more. */
const ROUNDS = Number(process.env['KAPPA_REDEPLOY_ROUNDS'] ?? 2);
const ROUNDS_WITH_A_NEW_COLUMN = Math.max(1, Math.round(ROUNDS / 4));

const PROJECTING = new URL('./projecting.process.ts', import.meta.url);
const SERVING = new URL('./serving.process.ts', import.meta.url);

describe('a redeploy under load', () => {
  it(
    'swaps, rolls back and goes forward again without a failed, mixed or lost read',
    async () => {
      const test = await createTestDatabase();
      const env = { DATABASE_URL: test.url };
      const old = { ...env, VERSIONS: '1' };
      let a = await Child.start(PROJECTING, old);
      const serving = await Child.start<Served>(SERVING, env);
      const b = await Child.start(PROJECTING, { ...env, VERSIONS: '1,2,3' });
      const kappa = await openKappa(
        { database: { url: test.url } },
        { aggregates: [tally], projections: [talliesV1, talliesV2, talliesV3] },
        { engines: false },
      );
      const { operations } = kappa;
      const sql = new pg.Client({ connectionString: test.url });
      await sql.connect();
      const stopping = new AbortController();
      const view = new Watch(async () => ({
        rows: (await sql.query<{ id: string; label: string; sum: number }>('select id, label, sum from public.tallies')).rows,
        version: null,
      }));
      const watching = view.run(stopping.signal);
      const swaps: SwapResult[] = [];
      try {
        for (let round = 0; round < ROUNDS + ROUNDS_WITH_A_NEW_COLUMN; round += 1) {
          const version = round < ROUNDS ? 2 : 3;
          // In turn: the swap by itself at the end of the rebuild, and one of its own, whose locks are timed.
          const swap = round % 2 === 0;
          for await (const progress of operations.rebuild({ projections: [`tallies@${version}`], swap }))
            expect(progress.error).toBeNull();
          if (!swap) swaps.push(...(await operations.swap(['tallies'], { version })));
          expect(await a.finish()).toBeNull();
          swaps.push(...(await operations.rollback(['tallies'])));
          a = await Child.start(PROJECTING, old);
          swaps.push(...(await operations.swap(['tallies'], { version })));
          swaps.push(...(await operations.rollback(['tallies'])));
          await operations.retire('tallies');
          await operations.drop('tallies');
        }
        expect((await operations.status(['tallies']))[0]?.builds.find(({ active }) => active)?.build.version).toBe(1);
      } finally {
        stopping.abort();
        await watching;
      }
      const served = await serving.finish();
      console.log(`locks of ${swaps.length} swaps held for ${swaps.map(({ lockedMs }) => lockedMs.toFixed(1)).join(', ')} ms`);
      console.log(JSON.stringify({ view: view.result, ...served }));
      for (const watched of [view.result, served?.reader, served?.rest]) {
        expect(watched).toMatchObject({ failed: 0, mixed: 0, lost: 0, firstProblem: null });
        expect(watched?.changes).toBeGreaterThan(0);
      }
      await kappa.reader(talliesV1).waitFor(served?.position ?? {}, { timeoutMs: 30_000 });
      await kappa.stop();
      await Promise.all([a.finish(), b.finish()]);
      const { rows } = await sql.query<{ sum: string }>('select sum(sum) from public.tallies');
      expect(Number(rows[0]?.sum)).toBe(served?.appended);
      await sql.end();
      await test.drop();
    },
    15_000 * (ROUNDS + ROUNDS_WITH_A_NEW_COLUMN) + 60_000,
  );
});
