import { aggregate, event, projection, topic, type } from 'nest-kappa';
import { Column, Entity, PrimaryColumn } from 'typeorm';

export const PARTITIONS = 8;
export const Paid = event('account.paid', type<{ cents: number; kind: string; to: string }>());
export const accounts = topic('accounts', { partitions: PARTITIONS, events: [Paid] });

export class Pay {
  constructor(
    readonly accountId: string,
    readonly cents: number,
    readonly kind: string,
    readonly to: string,
  ) {}
}

export const account = aggregate({ name: 'account', topic: accounts, id: 'accountId', initialState: () => null })
  .evolve({ 'account.paid': (state) => state })
  .decide(Pay, ({ cents, kind, to }) => [Paid({ cents, kind, to })]);

@Entity({ name: 'spent', synchronize: false })
export class SpentRow {
  @PrimaryColumn('text') id!: string;
  @Column('numeric', { precision: 14, scale: 2 }) amount!: string;
}

/** One row per stream: each is touched by one partition. */
export const spentV1 = projection({ name: 'spent', version: 1, from: [accounts], table: SpentRow }).on(
  Paid,
  (row, { stream, data }) => ({ id: stream.id, amount: plusCents(row?.amount, data.cents) }),
);

@Entity({ name: 'kinds', synchronize: false })
export class KindRow {
  @PrimaryColumn('text') kind!: string;
  @Column('numeric', { precision: 14, scale: 2 }) amount!: string;
  @Column('int') payments!: number;
}

/** Three hot rows: every partition touches each of them all the time. */
export const kindsV1 = projection({ name: 'kinds', version: 1, from: [accounts], table: KindRow }).on(
  Paid,
  { key: ({ data }) => ({ kind: data.kind }) },
  (row, { data }, { kind }) => ({ kind, amount: plusCents(row?.amount, data.cents), payments: (row?.payments ?? 0) + 1 }),
);

@Entity({ name: 'balances', synchronize: false })
export class BalanceRow {
  @PrimaryColumn('text') who!: string;
  @Column('numeric', { precision: 14, scale: 2 }) amount!: string;
}

/** Shared rows: a payment changes the row of who pays and of who is paid, which two partitions may do at once. */
export const balancesV1 = projection({ name: 'balances', version: 1, from: [accounts], table: BalanceRow }).on(
  Paid,
  { key: ({ stream, data }) => [{ who: stream.id }, { who: data.to }] },
  (row, { stream, data }, { who }) => {
    const change = (who === data.to ? data.cents : 0) - (who === stream.id ? data.cents : 0);
    return { who, amount: plusCents(row?.amount, change) };
  },
);

export const all = [spentV1, kindsV1, balancesV1];

export function cents(amount: string): number {
  return Math.round(Number(amount) * 100);
}

export function money(value: number): string {
  return (value / 100).toFixed(2);
}

function plusCents(amount: string | undefined, change: number): string {
  return money(cents(amount ?? '0.00') + change);
}
