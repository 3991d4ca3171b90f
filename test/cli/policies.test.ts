import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { policy, type PolicyStatus } from 'nest-kappa';
import { openKappa } from '../../src/modules/kappa/open-kappa.js';
import { appDatabase, type AppDatabase } from './app-database.js';
import { fine, fines, PaymentReceived } from './app/src/fines.js';
import { json, run } from './run-command.js';

interface Failure {
  readonly error: { readonly code: string; readonly message: string; readonly nextStep: string };
}

const policies = ['send-receipts', 'count-payments'].map((name) =>
  policy({ name, from: [fines], startAt: 'beginning' }).on(PaymentReceived, () => null),
);

describe('the command on policies', { timeout: 60_000 }, () => {
  let app: AppDatabase;
  beforeAll(async () => {
    app = await appDatabase(5);
    // They are begun, and nobody runs them.
    const begun = await openKappa(
      { database: { url: app.url } },
      { aggregates: [fine], policies },
      { engines: false, env: {} },
    );
    await begun.stop();
  });
  afterAll(() => app.drop());

  const list = async (...names: readonly string[]) =>
    (await json<{ readonly policies: readonly PolicyStatus[] }>(['policies', 'list', ...names], { env: app.env })).document
      .policies;

  it('lists each with how far behind it is, and those that are named', async () => {
    expect(await list()).toMatchObject([
      { name: 'count-payments', declared: false, startAt: 'beginning', behind: 10, refused: 0, runners: 0, error: null },
      { name: 'send-receipts', behind: 10 },
    ]);
    expect((await list('send-receipts')).map(({ name }) => name)).toEqual(['send-receipts']);
    const { code, stdout } = await run(['policy', 'status'], { env: app.env });
    expect(code).toBe(0);
    expect(stdout).toMatch(/policy\s.*in code.*state.*behind.*letters.*refused.*topics/);
    expect(stdout).toMatch(/send-receipts\s.*–.*not running.*10.*0.*0.*fines/);
  });

  it('says what was probably meant', async () => {
    const { code, document } = await json<Failure>(['policies', 'list', 'send-receipt'], { env: app.env });
    expect(code).toBe(1);
    expect(document.error).toMatchObject({
      code: 'KAPPA_UNKNOWN_POLICY',
      message: expect.stringContaining('send-receipts') as string,
      nextStep: expect.stringContaining('policies list') as string,
    });
  });

  it('shows what halted one, and lets it go on with a log that has changed, once that is confirmed', async () => {
    const halted = {
      code: 'KAPPA_LOG_CHANGED',
      message: 'KAPPA_LOG_CHANGED: it is another.',
      stack: null,
      at: null,
      since: '',
    };
    await app.database.query(`update policies set error = $1 where name = 'send-receipts'`, [JSON.stringify(halted)]);
    await app.database.query(`update policy_progress set log_cluster = 'former' where policy = 'send-receipts'`);
    const shown = await run(['policies', 'list'], { env: app.env });
    expect(shown.stdout).toMatch(/send-receipts\s.*halted/);
    expect(shown.stdout).toContain('send-receipts halted: KAPPA_LOG_CHANGED: it is another.');

    const asked = await json<Failure>(['policies', 'accept', 'send-receipts'], { env: app.env });
    expect(asked.document.error).toMatchObject({
      code: 'KAPPA_NOT_CONFIRMED',
      message: expect.stringMatching(/send-receipts will go on at fines\/0 \d+ \(was 0\)/) as string,
    });
    expect(await list('send-receipts')).toMatchObject([{ behind: 10, error: halted }]);

    const { code, stdout } = await run(['policies', 'accept', 'send-receipts', '--yes'], { env: app.env });
    expect(code).toBe(0);
    expect(stdout).toMatch(/^send-receipts goes on at fines\/0 \d+ \(was 0\), fines\/1/);
    expect(await list()).toMatchObject([
      { name: 'count-payments', behind: 10 },
      { name: 'send-receipts', behind: 0, error: null },
    ]);
  });

  it('moves nothing where all fits, and takes no other end than the two', async () => {
    const { stdout } = await run(['policies', 'accept', 'count-payments'], { env: app.env });
    expect(stdout).toContain('count-payments: its progress fits the log; nothing was moved.');
    expect((await list('count-payments'))[0]?.behind).toBe(10);
    expect((await run(['policies', 'accept', 'count-payments', '--from', 'middle'], { env: app.env })).code).toBe(2);
  });
});
