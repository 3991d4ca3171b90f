import { rm } from 'node:fs/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Build } from '../../src/modules/projections/build.js';
import type { PlanEntry, RebuildProgress, SwapResult } from '../../src/modules/projections/operations.js';
import type { Change } from '../support/transpile-app.js';
import { appDatabase, type AppDatabase } from './app-database.js';
import { compiledApp } from './compiled-app.js';
import { json, lines, run, type Ran, type RunOptions } from './run-command.js';

type Line = RebuildProgress & { readonly projections?: readonly RebuildProgress[] };
interface Plan {
  readonly pending: number;
  readonly plan: readonly PlanEntry[];
}
interface Failure {
  readonly error: { readonly code: string; readonly message: string; readonly facts: { readonly behind?: number } };
}
interface Swapped {
  readonly swapped: readonly SwapResult[];
}

const FINES = 10;

describe('what could go wrong, by command', () => {
  let app: AppDatabase;
  let inApp: RunOptions;
  const folders: string[] = [];

  beforeEach(async () => {
    app = await appDatabase(FINES);
    inApp = await changedApp();
  });
  afterEach(async () => {
    await app.drop();
    for (const folder of folders.splice(0)) await rm(folder, { recursive: true });
  });

  async function changedApp(change?: Change): Promise<RunOptions> {
    const folder = await compiledApp(change);
    folders.push(folder);
    return { env: app.env, cwd: folder };
  }
  const inProjections =
    (from: string, to: string): Change =>
    (file, text) =>
      file === 'src/projections.ts' ? text.replace(from, to) : text;

  const rebuild = async (...args: readonly string[]): Promise<Ran> => {
    const ran = await run(['projections', 'rebuild', ...args], inApp);
    expect(ran.code, ran.stderr).toBe(0);
    return ran;
  };
  const plan = (options: RunOptions) => json<Plan>(['projections', 'plan', '--check'], options);
  const liveBuilds = async (): Promise<readonly string[]> =>
    (
      await app.database.query<{ label: string }>(
        `select projection || ' v' || version || ' build ' || number as label from builds where state = 'live' order by 1`,
      )
    ).rows.map(({ label }) => label);

  it('swaps all in one transaction where they are a group', async () => {
    const steps = lines<Line>(await rebuild('--all', '--swap', '--group', '--json'));
    expect(steps.at(-1)?.projections?.map(({ phase }) => phase)).toEqual(['swapped', 'swapped']);
    await rebuild('--all', '--swap', '--group');
    expect(await liveBuilds()).toEqual(['fines v1 build 2', 'payments_per_fine v1 build 2']);
    // `now()` is the time of the transaction.
    const { rows } = await app.database.query<{ swaps: number; transactions: number }>(
      `select count(*) as swaps, count(distinct at) as transactions from projection_audit where action = 'swap'`,
    );
    expect(rows[0]).toEqual({ swaps: 4, transactions: 2 });
  });

  it('takes changed handlers for another meaning until somebody accepts that they mean the same', async () => {
    await rebuild('--all', '--swap');
    const changed = await changedApp(inProjections('Math.round(Number(row.paid) * 100)', 'Math.round(100 * Number(row.paid))'));
    const before = await plan(changed);
    expect(before.code).toBe(3);
    expect(before.document.plan.map(({ projection, action }) => `${projection} ${action}`)).toEqual([
      'fines code-changed',
      'payments_per_fine none',
    ]);
    const accepted = await json<{ readonly accepted: readonly Build[] }>(['projections', 'accept', 'fines'], changed);
    expect(accepted.code).toBe(0);
    expect(accepted.document.accepted).toMatchObject([{ projection: 'fines', state: 'live', number: 1 }]);
    expect(await plan(changed)).toMatchObject({ code: 0, document: { pending: 0 } });
    // The code that it was built with still counts as its own.
    expect(await plan(inApp)).toMatchObject({ code: 0, document: { pending: 0 } });
    const { rows } = await app.database.query<{ by: string | null }>(
      `select facts ->> 'by' as by from projection_audit where action = 'accept'`,
    );
    expect(rows).toEqual([{ by: expect.any(String) as string }]);
  });

  it('counts a live build that has stopped as pending', async () => {
    await rebuild('--all', '--swap');
    const error = { code: 'KAPPA_LOG_CHANGED', message: 'KAPPA_LOG_CHANGED: it is another.', stack: null, at: null, since: '' };
    await app.database.query(`update builds set error = $1 where projection = 'fines'`, [JSON.stringify(error)]);
    const { code, stdout, stderr } = await run(['projections', 'plan', '--check'], inApp);
    expect([code, stderr]).toEqual([3, expect.stringContaining('1 change pending.')]);
    expect(stdout).toContain('fines v1  stopped\n  fines v1 build 1 stopped: KAPPA_LOG_CHANGED: it is another.');
    expect(stdout).toMatch(/next .*npx nest-kappa projections rebuild fines@1 --swap/);
    expect((await run(['projections', 'plan'], inApp)).code).toBe(0);
  });

  it('builds nothing from a log whose begin is gone, unless that is meant', async () => {
    await app.database.query(
      `select remove_oldest(t.id, p, 'infinity', 0, 1) from topics t, generate_series(0, 3) p where t.name = 'fines'`,
    );
    const refused = await run(['projections', 'rebuild', 'fines', '--swap', '--json'], inApp);
    expect(refused.code).toBe(1);
    expect(lines<Failure>(refused).at(-1)?.error.code).toBe('KAPPA_LOG_TRUNCATED');
    expect(await liveBuilds()).toEqual([]);
    await rebuild('fines', '--swap', '--from-retained');
    expect(await liveBuilds()).toEqual(['fines v1 build 1']);
  });

  it('swaps after a comparison only where no row differs', async () => {
    await rebuild('fines', '--swap');
    await rebuild('fines');
    const { rows } = await app.database.query<{ table_name: string }>(`select table_name from builds where state = 'ready'`);
    const table = `"${rows[0]?.table_name}"`;
    await app.database.query(`update ${table} set paid = paid + 1 where id = 'fine-3'`);
    const refused = await json<Failure>(['projections', 'swap', 'fines', '--verify'], inApp);
    expect([refused.code, refused.document.error.code]).toEqual([1, 'KAPPA_VERIFY_DIFFERS']);
    expect(refused.document.error.message).toContain('1 changed');
    expect(await liveBuilds()).toEqual(['fines v1 build 1']);

    await app.database.query(`update ${table} set paid = paid - 1 where id = 'fine-3'`);
    const swapped = await json<Swapped>(['projections', 'swap', 'fines', '--verify'], inApp);
    expect(swapped.document.swapped).toMatchObject([{ from: { number: 1 }, to: { number: 2 } }]);
  });

  it('goes back to a build that nobody moves on only when told to take it as it stands', async () => {
    await rebuild('fines', '--swap');
    inApp = await changedApp(inProjections("name: 'fines', version: 1", "name: 'fines', version: 2"));
    await app.addFines(5, FINES);
    await rebuild('fines', '--swap');
    expect(await liveBuilds()).toEqual(['fines v2 build 1']);

    const refused = await json<Failure>(['projections', 'rollback', 'fines'], inApp);
    expect([refused.code, refused.document.error.code]).toEqual([1, 'KAPPA_BUILD_ORPHANED']);
    expect(refused.document.error.facts.behind).toBe(10);
    expect(await liveBuilds()).toEqual(['fines v2 build 1']);

    const back = await json<{ readonly rolledBack: readonly SwapResult[] }>(
      ['projections', 'rollback', 'fines', '--stale'],
      inApp,
    );
    expect(back.document.rolledBack).toMatchObject([{ from: { version: 2 }, to: { version: 1 } }]);
    expect((await app.database.query('select count(*) as count from public.fines')).rows).toEqual([{ count: FINES }]);
  });
});
