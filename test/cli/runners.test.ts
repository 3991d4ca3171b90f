import { rm } from 'node:fs/promises';
import { hostname } from 'node:os';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ProjectionStatus, RebuildProgress, SwapResult } from '../../src/modules/projections/operations.js';
import { declaredVersion } from '../../src/modules/projections/declared-version.js';
import { ProcessRegistry } from '../../src/modules/projections/supervisor/process-registry.js';
import { createTestDatabase } from '../../src/testing/test-server.js';
import { appDatabase, type AppDatabase } from './app-database.js';
import { finesV1 } from './app/src/projections.js';
import { compiledApp } from './compiled-app.js';
import { json, lines, run, type RunOptions } from './run-command.js';

interface Begun {
  readonly done: boolean;
  readonly projections: readonly { readonly number: number; readonly state: string; readonly processes: readonly object[] }[];
}

describe('who goes on with what a command did', { timeout: 120_000 }, () => {
  let app: AppDatabase;
  let folder: string;
  let inApp: RunOptions;

  beforeAll(async () => {
    app = await appDatabase(20);
    folder = await compiledApp();
    inApp = { env: app.env, cwd: folder };
  });
  afterAll(async () => {
    await app.drop();
    await rm(folder, { recursive: true });
  });

  /** As while a process runs that has the code which the command has loaded. */
  const withProcess = async (work: () => Promise<void>): Promise<void> => {
    const { rows } = await app.database.query<{ code: string }>(`select code from builds where projection = 'fines' limit 1`);
    const { definition, fingerprint } = declaredVersion(finesV1);
    // The test runner compiles handlers in its own way, so that their code here is not the code there.
    const code = rows[0]?.code ?? '';
    const registry = new ProcessRegistry(app.database, 'fines app', [{ definition, fingerprint: { ...fingerprint, code } }]);
    await registry.beat();
    const beats = setInterval(() => void registry.beat(), 1_000);
    await work().finally(() => clearInterval(beats));
    await registry.leave();
  };
  const stillness = 'No running process has fines v1: its table stands still until one that has it starts.';

  it('nobody, after --no-wait without a running process: the build is planned, and what to do is said', async () => {
    const { code, stdout, stderr } = await run(['projections', 'rebuild', 'fines', '--swap', '--no-wait'], inApp);
    expect(code, stderr).toBe(0);
    expect(stdout).toBe(
      'fines v1 build 1 is planned, and no running process has its code: start one that has it, or carry it out here: npx nest-kappa projections rebuild fines@1\n',
    );
    const { document } = await json<{ readonly projections: readonly ProjectionStatus[] }>(
      ['projections', 'status', 'fines'],
      inApp,
    );
    expect(document.projections[0]?.builds).toMatchObject([{ build: { state: 'planned' }, runners: 0 }]);
  });

  it('the running processes that have the code, after --no-wait', () =>
    withProcess(async () => {
      const begun = lines<Begun>(await run(['projections', 'rebuild', 'fines', '--swap', '--no-wait', '--json'], inApp));
      expect(begun).toMatchObject([
        {
          done: true,
          projections: [{ number: 1, state: 'planned', processes: [{ application: 'fines app', host: hostname() }] }],
        },
      ]);
      const { stdout } = await run(['projections', 'rebuild', 'fines', '--no-wait'], inApp);
      expect(stdout).toContain(`fines v1 build 1 is planned: fines app (${hostname()}, pid `);
    }));

  it('nobody, and the command says so, after rebuild --swap, swap and rollback alone', async () => {
    const rebuilt = await run(['projections', 'rebuild', 'fines', '--swap'], inApp);
    expect(rebuilt.code, rebuilt.stderr).toBe(0);
    expect(rebuilt.stdout).toMatch(/^fines v1 build 1 swapped: .*\n.*its table stands still/);
    expect(rebuilt.stdout).toContain(stillness);

    await run(['projections', 'rebuild', 'fines'], inApp);
    const swapped = await json<{ readonly swapped: readonly SwapResult[] }>(['projections', 'swap', 'fines'], inApp);
    expect(swapped.document.swapped).toMatchObject([{ to: { number: 2 }, runners: 0 }]);
    expect((await run(['projections', 'rollback', 'fines'], inApp)).stdout).toContain(stillness);
  });

  it('the running processes, of which nothing is said', () =>
    withProcess(async () => {
      const forward = await run(['projections', 'swap', 'fines'], inApp);
      expect([forward.code, forward.stdout.split('\n').length], forward.stderr).toEqual([0, 2]);
      const rebuilt = lines<{ readonly projections?: readonly RebuildProgress[] }>(
        await run(['projections', 'rebuild', 'fines', '--swap', '--json'], inApp),
      );
      expect(rebuilt.at(-1)?.projections).toMatchObject([{ phase: 'swapped', runners: 1 }]);
    }));

  it('fails with exit code 1 where a build of its group failed, and names what was not swapped', async () => {
    await app.database.query(
      `update log_records set value = '{' where event_type = 'fine.created' and stream like '%fine-7' returning 1`,
    );
    const halting = { ...inApp, env: { ...inApp.env, FIXTURE_HALTS: 'yes' }, process: true };
    const { code, stdout } = await run(['projections', 'rebuild', 'fines', 'payments_per_fine', '--swap', '--group'], halting);
    expect(code).toBe(1);
    expect(stdout).toMatch(/fines v1 build \d failed: KAPPA_UNDECODABLE/);
    expect(stdout).toMatch(/payments_per_fine v1 build 1 ready, not swapped: .*fines v1 build \d of its group is failed/);
    const status = await run(['projections', 'status', 'payments_per_fine'], inApp);
    expect(status.stdout).toContain('payments_per_fine v1 build 1 does not swap by itself any more');
  });

  it('exits with 3 and names the steps where the schema is behind, for plan --check', async () => {
    const empty = await createTestDatabase();
    const behind = { ...inApp, env: { DATABASE_URL: empty.url } };
    const { code, document } = await json<{ readonly pending: number; readonly steps: readonly string[] }>(
      ['projections', 'plan', '--check'],
      behind,
    );
    expect(code).toBe(3);
    expect(document.steps).toContain('projections-0001-builds');
    expect(document.pending).toBe(document.steps.length);
    const text = await run(['projections', 'plan', '--check'], behind);
    expect([text.code, text.stdout]).toEqual([3, expect.stringContaining('npx nest-kappa database migrate')]);
    expect((await json(['projections', 'plan'], behind)).code).toBe(1);
    await empty.drop();
  });
});
