import type { Database } from 'nest-kappa';

/**
 * The peer: what a good engineer writes in a day to build the three tables of the fines from the same log. Page by page, fold
 * in Maps, one multi-row upsert per table and a checkpoint a page, all in one transaction a page.
 */
export async function runHandWrittenLoop(database: Database, topic: string): Promise<number> {
  await database.query(CREATE);
  const { rows: partitions } = await database.query<{ id: number; partitions: number }>(
    'select id, partitions from topics where name = $1',
    [topic],
  );
  const [{ id, partitions: count } = { id: 0, partitions: 0 }] = partitions;
  const memory: Memory = { fines: new Map(), activities: new Map(), months: new Map() };
  let events = 0;
  for (let partition = 0; partition < count; partition += 1) {
    for (let next = 0; ;) {
      const { rows } = await database.query<Record_>({
        name: 'bench-page',
        text: PAGE,
        values: [id, partition, next, PAGE_SIZE],
      });
      if (rows.length === 0) break;
      const touched = { fines: new Set<string>(), activities: new Set<string>(), months: new Set<string>() };
      for (const row of rows) fold(memory, touched, row);
      next = (rows.at(-1)?.offset ?? 0) + 1;
      events += rows.length;
      await database.transaction(async (connection) => {
        const fines = [...touched.fines].flatMap((key) => memory.fines.get(key) ?? []);
        await connection.query(UPSERT_FINES, [
          fines.map((fine) => fine.id),
          fines.map((fine) => fine.state),
          fines.map((fine) => decimal(fine.amount)),
          fines.map((fine) => decimal(fine.expense)),
          fines.map((fine) => decimal(fine.paid)),
          fines.map((fine) => decimal(fine.amount + fine.expense - fine.paid)),
          fines.map((fine) => fine.payments),
          fines.map((fine) => fine.lastEvent),
          fines.map((fine) => fine.lastEventAt),
        ]);
        const activities = [...touched.activities];
        await connection.query(UPSERT_ACTIVITIES, [activities, activities.map((key) => memory.activities.get(key) ?? 0)]);
        const months = [...touched.months];
        await connection.query(UPSERT_MONTHS, [
          months,
          months.map((key) => memory.months.get(key)?.payments ?? 0),
          months.map((key) => decimal(memory.months.get(key)?.sum ?? 0n)),
        ]);
        await connection.query(
          'insert into bench.checkpoint values ($1, $2) on conflict (partition) do update set next = excluded.next',
          [partition, next],
        );
      });
    }
  }
  return events;
}

/** The same names as the projections' columns, so that the tables can be compared row by row. */
const CREATE = `
drop schema if exists bench cascade;
create schema bench;
create table bench.fines (id text primary key, state text not null, amount numeric(12,2) not null, expense numeric(12,2) not null,
  paid numeric(12,2) not null, outstanding numeric(12,2) not null, payments int not null, last_event text not null, last_event_at timestamptz not null);
create table bench.activity_totals (activity text primary key, events int not null);
create table bench.monthly_payments (month text primary key, payments int not null, sum numeric(14,2) not null);
create table bench.checkpoint (partition int primary key, next bigint not null)`;

const PAGE_SIZE = 5_000;
const PAGE = `
select "offset", key, headers, value from log_records where topic_id = $1 and partition = $2 and "offset" >= $3 order by "offset" limit $4`;

const UPSERT_FINES = `
insert into bench.fines select * from unnest($1::text[], $2::text[], $3::numeric[], $4::numeric[], $5::numeric[], $6::numeric[], $7::int[], $8::text[], $9::timestamptz[])
on conflict (id) do update set state = excluded.state, amount = excluded.amount, expense = excluded.expense, paid = excluded.paid,
  outstanding = excluded.outstanding, payments = excluded.payments, last_event = excluded.last_event, last_event_at = excluded.last_event_at`;
const UPSERT_ACTIVITIES = `
insert into bench.activity_totals select * from unnest($1::text[], $2::int[]) on conflict (activity) do update set events = excluded.events`;
const UPSERT_MONTHS = `
insert into bench.monthly_payments select * from unnest($1::text[], $2::int[], $3::numeric[])
on conflict (month) do update set payments = excluded.payments, sum = excluded.sum`;

interface Record_ {
  readonly offset: number;
  readonly key: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly value: Buffer;
}

interface FineLine {
  readonly id: string;
  state: string;
  amount: bigint;
  expense: bigint;
  paid: bigint;
  payments: number;
  lastEvent: string;
  lastEventAt: string;
}

interface Memory {
  readonly fines: Map<string, FineLine>;
  readonly activities: Map<string, number>;
  readonly months: Map<string, { payments: number; sum: bigint }>;
}

const ACTIVITY: Readonly<Record<string, string>> = {
  'fine.created': 'Create Fine',
  'fine.sent': 'Send Fine',
  'fine.notified': 'Insert Fine Notification',
  'penalty.added': 'Add penalty',
  'payment.received': 'Payment',
  'collection.started': 'Send for Credit Collection',
  'prefecture-appeal.dated': 'Insert Date Appeal to Prefecture',
  'prefecture-appeal.sent': 'Send Appeal to Prefecture',
  'prefecture-appeal.answered': 'Receive Result Appeal from Prefecture',
  'prefecture-answer.notified': 'Notify Result Appeal to Offender',
  'judge.called': 'Appeal to Judge',
};

const STATE: Readonly<Record<string, string>> = {
  'fine.sent': 'sent',
  'fine.notified': 'notified',
  'penalty.added': 'penalised',
  'collection.started': 'in collection',
  'prefecture-appeal.sent': 'appealed',
  'judge.called': 'appealed',
};

type Touched = { readonly [Table in keyof Memory]: Set<string> };

function fold(memory: Memory, touched: Touched, record: Record_): void {
  const type = record.headers['ce_type'] ?? '';
  const occurredAt = record.headers['ce_time'] ?? '';
  const data = JSON.parse(record.value.toString('utf8')) as { amount?: string; expense?: string };
  const activity = ACTIVITY[type] ?? '';
  memory.activities.set(activity, (memory.activities.get(activity) ?? 0) + 1);
  touched.activities.add(activity);
  if (type === 'payment.received') {
    const month = occurredAt.slice(0, 7);
    const line = memory.months.get(month) ?? { payments: 0, sum: 0n };
    line.payments += 1;
    line.sum += hundredths(data.amount);
    memory.months.set(month, line);
    touched.months.add(month);
  }
  const id = record.key;
  const fine = memory.fines.get(id) ?? {
    id,
    state: 'created',
    amount: 0n,
    expense: 0n,
    paid: 0n,
    payments: 0,
    lastEvent: '',
    lastEventAt: '',
  };
  if (type === 'fine.created' || type === 'penalty.added') fine.amount = hundredths(data.amount);
  if (type === 'fine.sent') fine.expense += hundredths(data.expense);
  if (type === 'payment.received') {
    fine.paid += hundredths(data.amount);
    fine.payments += 1;
  }
  fine.state = STATE[type] ?? fine.state;
  fine.lastEvent = type;
  fine.lastEventAt = occurredAt;
  memory.fines.set(id, fine);
  touched.fines.add(id);
}

function hundredths(amount = '0'): bigint {
  const [whole = '0', part = ''] = amount.split('.');
  return BigInt(whole) * 100n + BigInt(part.padEnd(2, '0'));
}

function decimal(value: bigint): string {
  const digits = (value < 0n ? -value : value).toString().padStart(3, '0');
  return `${value < 0n ? '-' : ''}${digits.slice(0, -2)}.${digits.slice(-2)}`;
}
