import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createTestDatabase, type TestDatabase } from '../../src/testing/test-server.js';
import { ROOT, runToEnd, type Ended } from '../support/run-example.js';

const MAIN = path.join(ROOT, 'examples/fines/dist/src/main.js');
const COMMAND = path.join(ROOT, 'dist/cli/bin.js');
const CONFIG = path.join(ROOT, 'examples/fines/kappa.config.ts');

const TABLES = ['fines', 'activity_totals', 'monthly_payments'];

const HEAD =
  'fine_id,seq,activity,occurred_at,amount,expense,payment_amount,total_payment_amount,article,points,vehicle_class,dismissal,notification_type,last_sent,officer,judge';
const ROWS = [
  'A1,0,Create Fine,2006-07-24T00:00:00+02:00,35.0,,,0.0,157,0,A,NIL,,,561,',
  'A2,0,Create Fine,2006-07-25T00:00:00+02:00,21.5,,,0.0,157,0,A,NIL,,,561,',
  'A1,1,Send Fine,2006-12-05T00:00:00+01:00,,11.0,,,,,,,,,,',
  // Written on the first of January where it happened; in UTC it is still December.
  'A2,1,Payment,2007-01-01T00:00:00+01:00,,,21.5,21.5,,,,,,,,',
  'A1,2,Payment,2007-01-31T00:00:00+01:00,,,40.1,40.1,,,,,,,,',
];

const TOTALS = {
  events: 5,
  fines: 2,
  paid: '61.60',
  expense: '11.00',
  lastAmounts: '56.50',
  paidFines: 2,
  settledFines: 1,
  byActivity: { 'Create Fine': 2, 'Send Fine': 1, Payment: 2 },
};

/** Published with the data set: ../shared/data/README.md. */
const PUBLISHED = {
  events: 561_470,
  fines: 150_370,
  paid: '3601464.53',
  expense: '1242539.04',
  lastAmounts: '10738941.26',
  paidFines: 69_715,
  settledFines: 60_290,
  byActivity: {
    'Create Fine': 150_370,
    'Send Fine': 103_987,
    'Insert Fine Notification': 79_860,
    'Add penalty': 79_860,
    Payment: 77_601,
    'Send for Credit Collection': 59_013,
    'Insert Date Appeal to Prefecture': 4_188,
    'Send Appeal to Prefecture': 4_141,
    'Receive Result Appeal from Prefecture': 999,
    'Notify Result Appeal to Offender': 896,
    'Appeal to Judge': 555,
  },
};

const REAL = process.env['KAPPA_FINES_FILE'] ?? path.join(ROOT, '../shared/data/road-traffic-fines.csv.gz');

let folder: string;
let test: TestDatabase;

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'kappa-fines-'));
  test = await createTestDatabase();
});

afterAll(async () => {
  await test.drop();
  await rm(folder, { recursive: true, force: true });
});

async function importFile(file: string, url = test.url): Promise<Ended> {
  return runToEnd(MAIN, ['--file', file, '--json'], { cwd: folder, env: { DATABASE_URL: url } });
}

async function kappa(url: string, ...args: string[]): Promise<Ended> {
  const ended = await runToEnd(COMMAND, [...args, '--config', CONFIG, '--json'], { env: { DATABASE_URL: url } });
  expect(ended.stderr).toBe('');
  expect(ended.code).toBe(0);
  return ended;
}

describe('the fines example', () => {
  it('imports a file named from where it is called, and adds nothing the second time', async () => {
    await writeFile(path.join(folder, 'fines.csv'), `${[HEAD, ...ROWS].join('\n')}\n`);
    for (const run of [1, 2]) {
      const ended = await importFile('fines.csv');
      expect(ended.stderr, `run ${run}`).toBe('');
      expect(JSON.parse(ended.last)).toMatchObject(TOTALS);
      expect(ended.code).toBe(0);
    }
  });

  it('reads gzip by its content, whatever the file is called', async () => {
    const fresh = await createTestDatabase();
    await writeFile(path.join(folder, 'fines.data'), gzipSync(`${[HEAD, ...ROWS].join('\n')}\n`));
    expect(JSON.parse((await importFile('fines.data', fresh.url)).last)).toMatchObject(TOTALS);
    await fresh.drop();
  });

  it('groups payments by the month of the date as it was written', async () => {
    const { stdout } = await kappa(test.url, 'events', 'read', 'fines', '--type', 'payment.received');
    expect(stdout).toContain('2007-01-01T00:00:00+01:00');
  });

  it.each([
    [
      'an activity that nobody knows',
      'A3,0,Lose Fine,2006-07-24T00:00:00+02:00,,,,,,,,,,,,',
      /line 7: activity is "Lose Fine", expected one of Create Fine/,
    ],
    ['an amount that is none', 'A3,0,Create Fine,2006-07-24T00:00:00+02:00,a lot,,,0.0,157,0,A,NIL,,,561,', /line 7: .*amount/],
    [
      'a payment of a fine that was never made',
      'A3,0,Payment,2006-07-24T00:00:00+02:00,,,1.0,1.0,,,,,,,,',
      /line 7: fine\.unknown/,
    ],
    ['too few columns', 'A3,0', /line 7/],
    ['a time without an offset', 'A1,3,Payment,2006-07-24,,,1.0,1.0,,,,,,,,', /line 7: .*occurredAt/],
  ])('stops at %s, with its line', async (_, row, message) => {
    await writeFile(path.join(folder, 'wrong.csv'), `${[HEAD, ...ROWS, row].join('\n')}\n`);
    const ended = await importFile('wrong.csv');
    expect(ended.stderr).toMatch(message);
    expect(ended.stderr).toMatch(/FINES_BAD_ROW/);
    expect(ended.code).toBe(1);
  });

  it('keeps what came before a wrong row, and goes on', async () => {
    expect(JSON.parse((await importFile('fines.csv')).last)).toMatchObject(TOTALS);
  });

  it('says which flag is missing', async () => {
    const ended = await runToEnd(MAIN, [], { env: { DATABASE_URL: test.url } });
    expect(ended.stderr).toMatch(/FINES_USAGE: --file is missing/);
    expect(ended.code).toBe(2);
  });
});

/** All 561,470 rows take minutes: `KAPPA_FINES=all npm test -- examples`. Else the first rows, with totals added up here. */
const ALL = process.env['KAPPA_FINES'] === 'all';
const SOME = 15_000;

interface Totals {
  readonly events: number;
  readonly fines: number;
  readonly paid: string;
  readonly expense: string;
  readonly lastAmounts: string;
  readonly paidFines: number;
  readonly settledFines: number;
  readonly byActivity: Readonly<Record<string, number>>;
}

/** What the first rows of the file come to, read without any of the code under test. */
function addUp(rows: readonly string[]): Totals {
  const hundredths = (amount: string | undefined): number => Math.round(Number(amount || '0') * 100);
  const euros = (sum: number): string => (sum / 100).toFixed(2);
  const fines = new Map<string, { amount: number; expense: number; paid: number; payments: number }>();
  const byActivity: Record<string, number> = {};
  for (const row of rows) {
    const [id = '', , activity = '', , amount, expense, payment] = row.split(',');
    const fine = fines.get(id) ?? { amount: 0, expense: 0, paid: 0, payments: 0 };
    fines.set(id, fine);
    byActivity[activity] = (byActivity[activity] ?? 0) + 1;
    if (amount) fine.amount = hundredths(amount);
    fine.expense += hundredths(expense);
    fine.paid += hundredths(payment);
    if (activity === 'Payment') fine.payments += 1;
  }
  const all = [...fines.values()];
  return {
    events: rows.length,
    fines: all.length,
    paid: euros(all.reduce((sum, { paid }) => sum + paid, 0)),
    expense: euros(all.reduce((sum, fine) => sum + fine.expense, 0)),
    lastAmounts: euros(all.reduce((sum, { amount }) => sum + amount, 0)),
    paidFines: all.filter(({ payments }) => payments > 0).length,
    settledFines: all.filter(({ amount, expense, paid }) => paid >= amount + expense).length,
    byActivity,
  };
}

describe('the real log of fines', () => {
  if (!existsSync(REAL))
    console.warn(`\n!!! ${REAL} is not there: the totals of the real log are NOT checked. Set KAPPA_FINES_FILE to its path.\n`);

  it.skipIf(!existsSync(REAL))(
    'gives its totals to the cent, imported, imported again, rebuilt, swapped and rolled back',
    async () => {
      const database = await createTestDatabase();
      const [head = '', ...rows] = gunzipSync(await readFile(REAL))
        .toString('utf8')
        .trimEnd()
        .split(/\r?\n/);
      const taken = ALL ? rows : rows.slice(0, SOME);
      const file = path.join(folder, 'real.csv');
      await writeFile(file, `${[head, ...taken].join('\n')}\n`);
      const expected = ALL ? PUBLISHED : addUp(taken);
      const totals = async (): Promise<Totals & { importSeconds: number; visibleSeconds: number }> => {
        const ended = await importFile(file, database.url);
        expect(ended.stderr).toBe('');
        return JSON.parse(ended.last) as Totals & { importSeconds: number; visibleSeconds: number };
      };
      const first = await totals();
      console.log(`${first.events} events: import ${first.importSeconds} s, visible ${first.visibleSeconds} s after it`);
      expect(first).toMatchObject(expected);
      expect(await totals()).toMatchObject(expected);
      await kappa(database.url, 'projections', 'rebuild', '--all');
      await kappa(database.url, 'projections', 'swap', ...TABLES);
      await writeFile(file, `${head}\n`);
      expect(await totals()).toMatchObject(expected);
      await kappa(database.url, 'projections', 'rollback', ...TABLES);
      expect(await totals()).toMatchObject(expected);
      await database.drop();
    },
    ALL ? 1_800_000 : 120_000,
  );

  it('adds up what is published, read without the code under test', async (context) => {
    if (!existsSync(REAL)) return context.skip();
    const [, ...rows] = gunzipSync(await readFile(REAL))
      .toString('utf8')
      .trimEnd()
      .split(/\r?\n/);
    expect(addUp(rows)).toEqual(PUBLISHED);
  });
});
