import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { gunzipSync } from 'node:zlib';
import { ROOT } from '../support/run-example.js';

export interface Totals {
  readonly events: number;
  readonly fines: number;
  readonly paid: string;
  readonly expense: string;
  readonly lastAmounts: string;
  readonly paidFines: number;
  readonly settledFines: number;
  readonly byActivity: Readonly<Record<string, number>>;
}

/** Published with the data set: ../shared/data/README.md. */
export const PUBLISHED: Totals = {
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

/** Where the real log lies, which is not part of this repository. */
export const REAL = process.env['KAPPA_FINES_FILE'] ?? path.join(ROOT, '../shared/data/road-traffic-fines.csv.gz');

export const HAS_REAL = existsSync(REAL);

/** All 561,470 rows take minutes: `KAPPA_FINES=all npm test -- examples`. Else the first rows, with totals added up here. */
export const ALL = process.env['KAPPA_FINES'] === 'all';
const SOME = 15_000;

/** The rows that are imported, as a file with its head, and what they come to. */
export async function realRows(): Promise<{
  readonly head: string;
  readonly rows: readonly string[];
  readonly expected: Totals;
}> {
  const { head, rows } = await wholeLog();
  const taken = ALL ? rows : rows.slice(0, SOME);
  return { head, rows: taken, expected: ALL ? PUBLISHED : addUp(taken) };
}

export async function wholeLog(): Promise<{ readonly head: string; readonly rows: readonly string[] }> {
  const [head = '', ...rows] = gunzipSync(await readFile(REAL))
    .toString('utf8')
    .trimEnd()
    .split(/\r?\n/);
  return { head, rows };
}

/** What the first rows of the file come to, read without any of the code under test. */
export function addUp(rows: readonly string[]): Totals {
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
