import type { Queryable } from 'nest-kappa';

/** The totals of the public views, as SQL sees them. */
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

const OF_FINES = `
  select count(*)::int                                        as fines,
         coalesce(sum(amount), 0)::numeric(16, 2)::text       as "lastAmounts",
         coalesce(sum(expense), 0)::numeric(16, 2)::text      as expense,
         (count(*) filter (where payments > 0))::int          as "paidFines",
         (count(*) filter (where outstanding <= 0))::int      as "settledFines"
    from public.fines`;

const OF_PAYMENTS = `select coalesce(sum(sum), 0)::numeric(16, 2)::text as paid from public.monthly_payments`;

const OF_ACTIVITIES = `select activity, events from public.activity_totals order by events desc, activity`;

/** Reads the views as any SQL client would. */
export async function readTotals(sql: Queryable): Promise<Totals> {
  const [fines] = (await sql.query<Pick<Totals, 'fines' | 'lastAmounts' | 'expense' | 'paidFines' | 'settledFines'>>(OF_FINES))
    .rows;
  const [payments] = (await sql.query<Pick<Totals, 'paid'>>(OF_PAYMENTS)).rows;
  const activities = (await sql.query<{ activity: string; events: number }>(OF_ACTIVITIES)).rows;
  if (!fines || !payments) throw new Error('the views gave no totals');
  return {
    events: activities.reduce((sum, { events }) => sum + events, 0),
    fines: fines.fines,
    paid: payments.paid,
    expense: fines.expense,
    lastAmounts: fines.lastAmounts,
    paidFines: fines.paidFines,
    settledFines: fines.settledFines,
    byActivity: Object.fromEntries(activities.map(({ activity, events }) => [activity, events])),
  };
}
