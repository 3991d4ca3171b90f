import { Column, Entity, PrimaryColumn } from 'typeorm';
import { event } from '../../../src/kernel/event.js';
import { type } from '../../../src/kernel/shape.js';
import { topic } from '../../../src/kernel/topic.js';
import { projection } from '../../../src/modules/projections/projection.js';

export const Opened = event('account.opened', type<{ owner: string }>());
export const Paid = event('account.paid', type<{ cents: number; kind: string; to: string }>());
export const Noted = event('account.noted', type<{ text: string }>());
export const Closed = event('account.closed', type<Record<string, never>>());

export const PARTITIONS = 8;
export const accounts = topic('accounts', { partitions: PARTITIONS, events: [Opened, Paid, Noted, Closed] });

@Entity({ synchronize: false })
export class AccountRow {
  @PrimaryColumn('text') id!: string;
  @Column('text') owner!: string;
  @Column('bigint') cents!: bigint;
  @Column('int') payments!: number;
  @Column('timestamptz') last!: string;
}

/** One row per stream: rows that one partition alone touches. */
export const Accounts = projection({ name: 'accounts', version: 1, from: [accounts], table: AccountRow });
export const accountsV1 = Accounts.on(Opened, (row, e) => ({
  id: e.stream.id,
  owner: e.data.owner,
  cents: row?.cents ?? 0n,
  payments: row?.payments ?? 0,
  last: e.occurredAt,
}))
  .on(Paid, (row, e) =>
    row ? { ...row, cents: row.cents + BigInt(e.data.cents), payments: row.payments + 1, last: e.occurredAt } : null,
  )
  .on(Closed, () => null);

@Entity({ synchronize: false })
export class KindRow {
  @PrimaryColumn('text') kind!: string;
  @Column('bigint') cents!: bigint;
  @Column('int') payments!: number;
}

/** Few hot rows that every partition touches. */
export const Kinds = projection({ name: 'kinds', version: 1, from: [accounts], table: KindRow });
export const kindsV1 = Kinds.on(Paid, { key: (e) => ({ kind: e.data.kind }) }, (row, e, key) => ({
  kind: key.kind,
  cents: (row?.cents ?? 0n) + BigInt(e.data.cents),
  payments: (row?.payments ?? 0) + 1,
}));

@Entity({ synchronize: false })
export class FlowRow {
  @PrimaryColumn('text') who!: string;
  @Column('bigint') balance!: bigint;
}

/** Fan-out: each payment changes the row of who pays and of who is paid; a balance of nothing has no row. */
export const Flows = projection({ name: 'flows', version: 1, from: [accounts], table: FlowRow });
export const flowsV1 = Flows.on(Paid, { key: (e) => [{ who: e.stream.id }, { who: e.data.to }] }, (row, e, key) => {
  const change = (key.who === e.data.to ? BigInt(e.data.cents) : 0n) - (key.who === e.stream.id ? BigInt(e.data.cents) : 0n);
  const balance = (row?.balance ?? 0n) + change;
  return balance === 0n ? null : { who: key.who, balance };
});
