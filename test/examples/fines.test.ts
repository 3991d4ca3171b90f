import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createTestDatabase, type TestDatabase } from '../../src/testing/test-server.js';
import { ROOT, runToEnd, type Ended } from '../support/run-example.js';
import { addUp, ALL, HAS_REAL, PUBLISHED, REAL, realRows, wholeLog, type Totals } from './fines-totals.js';

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

describe('the real log of fines', () => {
  if (!HAS_REAL)
    console.warn(`\n!!! ${REAL} is not there: the totals of the real log are NOT checked. Set KAPPA_FINES_FILE to its path.\n`);

  it.skipIf(!HAS_REAL)(
    'gives its totals to the cent, imported, imported again, rebuilt, swapped and rolled back',
    async () => {
      const database = await createTestDatabase();
      const { head, rows, expected } = await realRows();
      const file = path.join(folder, 'real.csv');
      await writeFile(file, `${[head, ...rows].join('\n')}\n`);
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
    if (!HAS_REAL) return context.skip();
    const { rows } = await wholeLog();
    expect(addUp(rows)).toEqual(PUBLISHED);
  });
});
