import { projection } from 'nest-kappa';
import {
  AnswerNotified,
  AppealAnswered,
  AppealDated,
  AppealSent,
  CollectionStarted,
  FineCreated,
  FineNotified,
  FineSent,
  fines,
  JudgeCalled,
  PaymentReceived,
  PenaltyAdded,
} from './events.js';
import { cents, money, plus } from './money.js';
import { ActivityRow, FineRow, MonthRow } from './rows.js';

type Fine = Readonly<FineRow>;
interface Happened {
  readonly type: string;
  readonly occurredAt: string;
}

/** The row after an event, with what that changes. */
const changed = (row: Fine | null, event: Happened, changes: Partial<Fine> = {}): Fine | null =>
  row && { ...row, ...changes, lastEvent: event.type, lastEventAt: event.occurredAt };

/** The same where an amount changes, and with it what is still to be paid. */
const owing = (row: Fine | null, event: Happened, changes: Partial<Fine>): Fine | null => {
  const next = changed(row, event, changes);
  return next && { ...next, outstanding: money(cents(next.amount) + cents(next.expense) - cents(next.paid)) };
};

export const Fines = projection({ name: 'fines', version: 1, from: [fines], table: FineRow });

export const finesV1 = Fines.on(FineCreated, (_, event) => ({
  id: event.stream.id,
  state: 'created',
  amount: event.data.amount,
  expense: '0.00',
  paid: '0.00',
  outstanding: event.data.amount,
  payments: 0,
  lastEvent: event.type,
  lastEventAt: event.occurredAt,
}))
  .on(FineSent, (row, event) => owing(row, event, { state: 'sent', expense: plus(row?.expense ?? '0', event.data.expense) }))
  .on(FineNotified, (row, event) => changed(row, event, { state: 'notified' }))
  .on(PenaltyAdded, (row, event) => owing(row, event, { state: 'penalised', amount: event.data.amount }))
  .on(PaymentReceived, (row, event) =>
    owing(row, event, { paid: plus(row?.paid ?? '0', event.data.amount), payments: (row?.payments ?? 0) + 1 }),
  )
  .on(CollectionStarted, (row, event) => changed(row, event, { state: 'in collection' }))
  .on(AppealDated, (row, event) => changed(row, event))
  .on(AppealSent, (row, event) => changed(row, event, { state: 'appealed' }))
  .on(AppealAnswered, (row, event) => changed(row, event))
  .on(AnswerNotified, (row, event) => changed(row, event))
  .on(JudgeCalled, (row, event) => changed(row, event, { state: 'appealed' }));

export const ActivityTotals = projection({ name: 'activity_totals', version: 1, from: [fines], table: ActivityRow });

/** Counts events under the name the police uses for them. Every partition adds to the same eleven rows. */
const counted = (activity: string) =>
  [
    { key: () => ({ activity }) },
    (row: Readonly<ActivityRow> | null) => ({ activity, events: (row?.events ?? 0) + 1 }),
  ] as const;

export const activityTotalsV1 = ActivityTotals.on(FineCreated, ...counted('Create Fine'))
  .on(FineSent, ...counted('Send Fine'))
  .on(FineNotified, ...counted('Insert Fine Notification'))
  .on(PenaltyAdded, ...counted('Add penalty'))
  .on(PaymentReceived, ...counted('Payment'))
  .on(CollectionStarted, ...counted('Send for Credit Collection'))
  .on(AppealDated, ...counted('Insert Date Appeal to Prefecture'))
  .on(AppealSent, ...counted('Send Appeal to Prefecture'))
  .on(AppealAnswered, ...counted('Receive Result Appeal from Prefecture'))
  .on(AnswerNotified, ...counted('Notify Result Appeal to Offender'))
  .on(JudgeCalled, ...counted('Appeal to Judge'));

export const MonthlyPayments = projection({ name: 'monthly_payments', version: 1, from: [fines], table: MonthRow });

export const monthlyPaymentsV1 = MonthlyPayments.on(
  PaymentReceived,
  { key: (event) => ({ month: event.occurredAt.slice(0, 7) }) },
  (row, event) => ({
    month: event.occurredAt.slice(0, 7),
    payments: (row?.payments ?? 0) + 1,
    sum: plus(row?.sum ?? '0', event.data.amount),
  }),
);
