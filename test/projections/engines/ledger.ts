import { Column, Entity, PrimaryColumn } from 'typeorm';
import { encodeEvent } from '../../../src/kernel/envelope.js';
import { jsonCodec } from '../../../src/kernel/codec.js';
import { event, type AnyEvent } from '../../../src/kernel/event.js';
import { topicName } from '../../../src/kernel/names.js';
import { partitionOf } from '../../../src/kernel/partitioner.js';
import type { NewRecord } from '../../../src/kernel/record.js';
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

/** What happened to one account, before it has a place in the log. */
export interface Happening {
  readonly account: string;
  readonly type: AnyEvent;
  readonly data: unknown;
}

/** A record as an aggregate's append makes it. */
export function recordOf({ account, type: declared, data }: Happening, n: number): NewRecord {
  const envelope = {
    id: `${account}-${n}`,
    type: declared.type,
    eventVersion: declared.version,
    data,
    aggregate: 'account',
    streamId: account,
    streamVersion: n + 1,
    tenant: null,
    occurredAt: new Date(Date.UTC(2026, 0, 1) + n * 1000).toISOString(),
    correlationId: null,
    causationId: null,
    traceparent: null,
  };
  return {
    topic: topicName('accounts'),
    partition: partitionOf(account, PARTITIONS),
    key: account,
    ...encodeEvent(envelope, jsonCodec),
  };
}

/** A seeded history: accounts are opened, paid from, closed and opened again; every seventh event is one that nobody handles. */
export function history(events: number, options: { readonly accounts?: number; readonly seed?: number } = {}): Happening[] {
  const random = seeded(options.seed ?? 1);
  const among = options.accounts ?? Math.max(3, Math.floor(events / 10));
  return Array.from({ length: events }, (_, n): Happening => {
    const account = `a${Math.floor(random() * among)}`;
    const dice = random();
    if (n % 7 === 6) return { account, type: Noted, data: { text: `note ${n}` } };
    if (dice < 0.2) return { account, type: Opened, data: { owner: `owner of ${account}` } };
    if (dice < 0.26) return { account, type: Closed, data: {} };
    return {
      account,
      type: Paid,
      data: {
        cents: 1 + Math.floor(random() * 10_000),
        kind: `k${Math.floor(random() * 5)}`,
        to: `a${Math.floor(random() * among)}`,
      },
    };
  });
}

/** mulberry32 */
export function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}
