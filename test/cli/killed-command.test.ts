import { fork } from 'node:child_process';
import { once } from 'node:events';
import { rm } from 'node:fs/promises';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { ProjectionStatus, RebuildProgress } from '../../src/modules/projections/operations.js';
import { appDatabase, type AppDatabase } from './app-database.js';
import { compiledApp } from './compiled-app.js';
import { json, start } from './run-command.js';

const FINES = 200;

let app: AppDatabase;
let folder: string;

beforeAll(async () => {
  app = await appDatabase(FINES);
  folder = await compiledApp();
});
afterAll(async () => {
  await app.drop();
  await rm(folder, { recursive: true });
});

/** Waits until the builds of fines are in these states, oldest first. */
async function untilStates(...wanted: readonly string[]): Promise<void> {
  for (;;) {
    const { document } = await json<{ readonly projections: readonly ProjectionStatus[] }>(['projections', 'status', 'fines'], {
      env: app.env,
      cwd: folder,
    });
    const states = document.projections[0]?.builds.map(({ build }) => build.state) ?? [];
    if (states.join() === wanted.join()) return;
  }
}

it('leaves a rebuild that is killed in the middle to the running application, which ends it and swaps', async () => {
  const running = fork(path.join(folder, 'src', 'running.js'), { env: { ...process.env, ...app.env }, execArgv: [] });
  const ended = once(running, 'exit');
  try {
    await once(running, 'message');
    await untilStates('live');
    const command = start(['projections', 'rebuild', 'fines', '--swap', '--max-rate', '100', '--json'], {
      env: app.env,
      cwd: folder,
    });
    for await (const line of createInterface(command.stdout)) {
      const { phase, events } = JSON.parse(line) as RebuildProgress;
      if (phase === 'building' && events > 0) break;
    }
    const gone = once(command, 'exit');
    command.kill('SIGKILL');
    expect((await gone)[1]).toBe('SIGKILL');

    await app.addFines(10, FINES);
    await untilStates('standby', 'live');
    const paid = async () =>
      (
        await app.database.query<{ fines: number; sum: string }>(
          'select count(*) as fines, sum(paid) as sum from public.fines where paid > 0',
        )
      ).rows[0];
    // What was appended after the kill is in the table when the runner has come to it.
    while ((await paid())?.fines !== FINES + 10);
    expect(await paid()).toEqual({ fines: FINES + 10, sum: (2.5 * (FINES + 10)).toFixed(2) });
    const { rows: audit } = await app.database.query<{ action: string }>(
      `select action from projection_audit a join builds b on b.id = a.build_id
       where b.projection = 'fines' and b.number = 2 and action = 'swap'`,
    );
    expect(audit).toHaveLength(1);
  } finally {
    running.kill('SIGTERM');
    await ended;
  }
}, 120_000);
