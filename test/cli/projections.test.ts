import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { rm } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type {
  PlanEntry,
  ProjectionStatus,
  RebuildProgress,
  SwapResult,
  VerifyResult,
} from '../../src/modules/projections/operations.js';
import type { Build } from '../../src/modules/projections/build.js';
import { appDatabase, type AppDatabase } from './app-database.js';
import { compiledApp } from './compiled-app.js';
import { finished, json, lines, run, start, type RunOptions } from './run-command.js';

type Line = RebuildProgress & {
  readonly done?: boolean;
  readonly interrupted?: boolean;
  readonly projections?: readonly RebuildProgress[];
};
interface Failure {
  readonly error: { readonly code: string; readonly message: string; readonly facts: unknown };
}

const FINES = 40;

describe('projections by command, without a running application', { timeout: 120_000 }, () => {
  let app: AppDatabase;
  let folder: string;
  let inApp: RunOptions;

  beforeAll(async () => {
    app = await appDatabase(FINES);
    folder = await compiledApp();
    inApp = { env: app.env, cwd: folder };
  });
  afterAll(async () => {
    await app.drop();
    await rm(folder, { recursive: true });
  });

  const projections = async (name: string): Promise<ProjectionStatus> => {
    const { document } = await json<{ readonly projections: readonly ProjectionStatus[] }>(
      ['projections', 'status', name],
      inApp,
    );
    const [one] = document.projections;
    if (!one) throw new Error(`no status of ${name}`);
    return one;
  };
  const statesOf = ({ builds }: ProjectionStatus): readonly string[] =>
    builds.map(({ build }) => `${build.number} ${build.state}`);

  it('plans, builds and swaps all, then has nothing pending', async () => {
    const before = await json<{ readonly pending: number; readonly plan: readonly PlanEntry[] }>(
      ['projections', 'plan', '--check'],
      inApp,
    );
    expect(before.code).toBe(3);
    expect(before.document.plan.map(({ projection, action }) => `${projection} ${action}`).sort()).toEqual([
      'fines first-build',
      'payments_per_fine first-build',
    ]);

    const rebuilt = await run(['projections', 'rebuild', '--all', '--swap', '--json'], inApp);
    expect(rebuilt.code, rebuilt.stderr).toBe(0);
    const steps = lines<Line>(rebuilt);
    expect(steps.slice(0, -1).every(({ phase, done }) => phase && done === undefined)).toBe(true);
    expect(steps.at(-1)).toMatchObject({ done: true });
    expect(
      steps
        .at(-1)
        ?.projections?.map(({ projection, phase }) => `${projection} ${phase}`)
        .sort(),
    ).toEqual(['fines swapped', 'payments_per_fine swapped']);

    const { rows } = await app.database.query<{ count: number; paid: string }>(
      'select count(*) as count, sum(paid) as paid from public.fines',
    );
    expect(rows[0]).toEqual({ count: FINES, paid: (2.5 * FINES).toFixed(2) });
    const after = await json<{ readonly pending: number }>(['projections', 'plan', '--check'], inApp);
    expect([after.code, after.document.pending]).toEqual([0, 0]);
  });

  it('lists them, under the other names of the command too', async () => {
    const { code, stdout } = await run(['projection', 'ls'], inApp);
    expect(code).toBe(0);
    expect(stdout).toMatch(/fines\s+v1\s+v1 build 1\s+0\s+40/);
  });

  it('builds beside, compares, swaps, rolls back, retires and drops', async () => {
    const rebuilt = await run(['projections', 'rebuild', 'fines'], inApp);
    expect(rebuilt.code, rebuilt.stderr).toBe(0);
    expect(rebuilt.stdout).toMatch(/fines v1 build 2 ready: 80 events, 40 rows/);
    expect(statesOf(await projections('fines'))).toEqual(['1 live', '2 ready']);

    const verified = await json<{ readonly results: readonly VerifyResult[] }>(['projections', 'verify', 'fines'], inApp);
    expect(verified.document.results).toMatchObject([
      { projection: 'fines', rowsLive: FINES, rowsCandidate: FINES, added: 0, removed: 0, changed: 0 },
    ]);

    const swapped = await json<{ readonly swapped: readonly SwapResult[] }>(['projections', 'swap', 'fines'], inApp);
    expect(swapped.document.swapped).toMatchObject([{ projection: 'fines', from: { number: 1 }, to: { number: 2 } }]);
    expect(statesOf(await projections('fines'))).toEqual(['1 standby', '2 live']);

    const back = await run(['projections', 'rollback', 'fines'], inApp);
    expect(back.code, back.stderr).toBe(0);
    expect(back.stdout).toMatch(/fines {2}v1 build 2 → v1 build 1 {2}locked \d+\.\d ms/);

    const asked = await run(['projections', 'retire', 'fines'], inApp);
    expect(asked.code).toBe(2);
    expect(asked.stderr).toContain('KAPPA_NOT_CONFIRMED');
    expect(asked.stderr).toContain(new URL(app.url).pathname);
    expect(asked.stderr).toContain('fines v1 build 2');
    expect(asked.stderr).toContain('--yes');
    expect(statesOf(await projections('fines'))).toEqual(['1 live', '2 standby']);

    const retired = await json<{ readonly retired: readonly Build[] }>(['projections', 'retire', 'fines', '--yes'], inApp);
    expect(retired.document.retired).toMatchObject([{ number: 2, state: 'retired' }]);
    const dropped = await json<{ readonly dropped: readonly Build[] }>(['projections', 'drop', 'fines', '--yes'], inApp);
    expect(dropped.document.dropped).toMatchObject([{ number: 2, state: 'dropped' }]);
    expect((await json(['projections', 'drop', 'fines', '--yes'], inApp)).document).toEqual({ dropped: [] });
  });

  it('tells a mistyped name from a known one', async () => {
    const { code, document } = await json<Failure>(['projections', 'swap', 'fnes'], inApp);
    expect([code, document.error.code]).toEqual([1, 'KAPPA_UNKNOWN_PROJECTION']);
    expect(document.error.message).toContain('did you mean fines?');
    const rebuild = lines<Failure & { readonly done: boolean }>(await run(['projections', 'rebuild', 'fnes', '--json'], inApp));
    expect(rebuild).toMatchObject([{ done: true, error: { code: 'KAPPA_UNKNOWN_PROJECTION' } }]);
  });

  it('goes on with an interrupted rebuild', async () => {
    const slow = start(['projections', 'rebuild', 'payments_per_fine', '--max-rate', '10', '--json'], inApp);
    const end = finished(slow);
    await once(slow.stdout, 'data');
    slow.kill('SIGINT');
    const interrupted = await end;
    expect(interrupted.code).toBe(1);
    expect(lines<Line>(interrupted).at(-1)).toMatchObject({ done: true, interrupted: true });
    expect(interrupted.stderr).toContain('go on where it stopped');

    const again = await run(['projections', 'rebuild', 'payments_per_fine', '--swap', '--json'], inApp);
    expect(again.code, again.stderr).toBe(0);
    expect(lines<Line>(again).at(-1)?.projections).toMatchObject([{ number: 2, phase: 'swapped' }]);
    expect(statesOf(await projections('payments_per_fine'))).toEqual(['1 standby', '2 live']);
  });

  // util-linux's `script` gives the terminal.
  it.skipIf(spawnSync('script', ['--version']).status !== 0)(
    'shows bars and colours on a terminal, and asks there',
    async () => {
      const bars = await run([], { ...inApp, terminal: 'projections rebuild fines' });
      expect(bars.code, bars.stdout).toBe(0);
      expect(bars.stdout).toContain('█');
      expect(bars.stdout).toMatch(/fines v1 build \d+ ready/);
      const table = await run([], { ...inApp, terminal: 'projections list' });
      expect(table.stdout).toContain('\u001b[2mprojection');
      expect((await run([], { ...inApp, terminal: 'projections list --no-color' })).stdout).not.toContain('\u001b[');
      const no = await run([], { ...inApp, terminal: 'projections retire payments_per_fine', answer: 'n\n' });
      expect(no.stdout).toContain('Continue? (y/N)');
      expect(no.stdout).toContain('Nothing was changed');
      expect(no.code).toBe(1);
      const left = await run([], { ...inApp, terminal: 'projections retire payments_per_fine', answer: '\u0003' });
      expect([left.code, left.stdout]).toEqual([1, expect.stringContaining('Nothing was changed')]);
      const yes = await run([], { ...inApp, terminal: 'projections retire payments_per_fine', answer: 'y\n' });
      expect(yes.code, yes.stdout).toBe(0);
      expect(statesOf(await projections('payments_per_fine'))).toEqual(['1 retired', '2 live']);
    },
  );
});
