import { readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type {
  DeadLetterDetails,
  DeadLetterPage,
  LetterOutcome,
} from '../../src/modules/operations/dead-letters/dead-letters.js';
import type { ProjectionStatus } from '../../src/modules/projections/operations.js';
import { appDatabase, type AppDatabase } from './app-database.js';
import { compiledApp } from './compiled-app.js';
import { json, run, type RunOptions } from './run-command.js';

interface Failure {
  readonly error: { readonly code: string; readonly message: string };
}

/** More than a numeric(12,2) holds. */
const TOO_MUCH = 10 ** 13;

describe('dead letters by command, without a running application', { timeout: 120_000 }, () => {
  let app: AppDatabase;
  let folder: string;
  let inApp: RunOptions;

  beforeAll(async () => {
    app = await appDatabase(3);
    await app.pay('fine-0', TOO_MUCH);
    await app.pay('fine-0', 100);
    await app.pay('fine-1', TOO_MUCH);
    await app.pay('fine-1', 200);
    folder = await compiledApp();
    inApp = { env: app.env, cwd: folder };
  });
  afterAll(async () => {
    await app.drop();
    await rm(folder, { recursive: true });
  });

  const list = async (...flags: readonly string[]) =>
    (await json<DeadLetterPage>(['dead-letters', 'list', ...flags], inApp)).document.letters;
  const letterOf = async (key: string) => {
    const found = (await list()).find((letter) => letter.key === key);
    if (!found) throw new Error(`no letter of ${key}`);
    return found;
  };
  const paid = async (id: string): Promise<unknown> =>
    (await app.database.query('select paid from public.fines where id = $1', [id])).rows[0]?.['paid'];

  it('are told of at the end of a rebuild and by status', async () => {
    const rebuilt = await run(['projections', 'rebuild', 'fines', '--swap'], inApp);
    expect(rebuilt.code, rebuilt.stderr).toBe(0);
    expect(rebuilt.stdout).toContain('4 aside');
    const { document } = await json<{ readonly projections: readonly ProjectionStatus[] }>(['projections', 'status'], inApp);
    expect(document.projections.find(({ name }) => name === 'fines')?.builds[0]?.letters).toEqual({
      letters: 2,
      followers: 2,
      discarded: 0,
    });
    const status = await run(['projections', 'status', 'fines'], inApp);
    expect(status.stdout).toMatch(/live\s+0\s+2 \+2/);
    expect(status.stdout).toContain('has set 4 events aside');
    expect(await paid('fine-0')).toBe('2.50');
  });

  it('are listed and shown, with reason, stack and the event', async () => {
    expect(await list('fines')).toMatchObject([
      { key: 'fine-0', label: 'fines v1 build 1', state: 'letter', followers: 1, attempts: 4 },
      { key: 'fine-1', label: 'fines v1 build 1', state: 'letter', followers: 1 },
    ]);
    expect((await list('--followers')).map(({ state }) => state).sort()).toEqual(['follower', 'follower', 'letter', 'letter']);
    expect(await list('--limit', '1')).toHaveLength(1);
    const table = await run(['dead-letter', 'ls'], inApp);
    expect(table.stdout).toMatch(/fines v1 build 1\s+fines\/\d:\d+\s+payment\.received\s+fine-0\s+letter\s+1\s+4/);
    const { id } = await letterOf('fine-0');
    const { document } = await json<DeadLetterDetails>(['dead-letters', 'show', String(id)], inApp);
    expect(document).toMatchObject({ reason: { code: 'KAPPA_BAD_ROW' }, record: { data: { cents: TOO_MUCH }, base64: null } });
    expect(document.reason?.stack).toBeTruthy();
    const shown = await run(['dead-letters', 'show', String(id)], inApp);
    for (const part of ['KAPPA_BAD_ROW', 'ce_type', 'payment.received', `"cents": ${TOO_MUCH}`])
      expect(shown.stdout).toContain(part);
    const unknown = await json<Failure>(['dead-letters', 'show', '4711'], inApp);
    expect([unknown.code, unknown.document.error.code]).toEqual([1, 'KAPPA_UNKNOWN_DEAD_LETTER']);
  });

  it('are retried by the command itself where nobody runs the projection, and fail again before the fix', async () => {
    const { id } = await letterOf('fine-0');
    const failed = await run(['dead-letters', 'retry', String(id)], inApp);
    expect([failed.code, failed.stdout]).toEqual([1, expect.stringContaining('failed again')]);
    expect(await letterOf('fine-0')).toMatchObject({ attempts: 5, request: null });

    const follower = (await list('--followers')).find(({ state }) => state === 'follower');
    const waits = await json<Failure>(['dead-letters', 'retry', String(follower?.id)], inApp);
    expect([waits.code, waits.document.error.code]).toEqual([1, 'KAPPA_DEAD_LETTER_WAITS']);
    expect((await run(['dead-letters', 'retry'], inApp)).code).toBe(2);
    expect((await run(['dead-letters', 'retry', '--all', '--projection', 'fines'], inApp)).code).toBe(2);
  });

  it('are discarded with a reason, after a question; what waits behind them goes on', async () => {
    const { id } = await letterOf('fine-1');
    expect((await run(['dead-letters', 'discard', String(id)], inApp)).code).toBe(2);
    const asked = await run(['dead-letters', 'discard', String(id), '--reason', 'a typing error'], inApp);
    expect([asked.code, asked.stderr]).toEqual([2, expect.stringContaining('KAPPA_NOT_CONFIRMED')]);
    const { code, document } = await json<{ readonly outcomes: readonly LetterOutcome[] }>(
      ['dead-letters', 'discard', String(id), '--reason', 'a typing error', '--yes'],
      inApp,
    );
    expect(code).toBe(0);
    expect(document.outcomes).toMatchObject([{ outcome: 'discarded', next: null, letter: { requestedWhy: 'a typing error' } }]);
    expect(await paid('fine-1')).toBe('4.50');
    const again = await json<Failure>(['dead-letters', 'retry', String(id)], inApp);
    expect([again.code, again.document.error.code]).toEqual([1, 'KAPPA_DEAD_LETTER_SETTLED']);
  });

  it('are applied after the fix, and a later build skips and lists what was discarded', async () => {
    const file = path.join(folder, 'src/projections.js');
    const code = await readFile(file, 'utf8');
    await writeFile(file, code.replaceAll('event.data.cents', 'Math.min(event.data.cents, 1000)'));
    // This process has loaded the former code.
    const mended = { ...inApp, process: true };
    const { code: exit, document } = await json<{ readonly outcomes: readonly LetterOutcome[] }>(
      ['dead-letters', 'retry', '--projection', 'fines'],
      mended,
    );
    expect([exit, document.outcomes.map(({ outcome }) => outcome)]).toEqual([0, ['applied']]);
    expect(await paid('fine-0')).toBe('13.50');
    expect(await list()).toEqual([]);
    expect((await run(['dead-letters', 'retry', '--all'], inApp)).stdout).toContain('No dead letters.');

    const rebuilt = await run(['projections', 'rebuild', 'fines', '--swap'], mended);
    expect(rebuilt.code, rebuilt.stderr).toBe(0);
    expect(await paid('fine-0')).toBe('13.50');
    expect(await paid('fine-1')).toBe('4.50');
    const settled = (await list('fines', '--settled')).filter(({ label }) => label === 'fines v1 build 2');
    expect(settled).toMatchObject([{ key: 'fine-1', state: 'discarded', requestedWhy: 'a typing error' }]);
  });
});
