import { AssertionError } from 'node:assert';
import { Column, Entity, PrimaryColumn } from 'typeorm';
import { describe, expect, it } from 'vitest';
import { event } from '../../src/kernel/event.js';
import { type } from '../../src/kernel/shape.js';
import { topic } from '../../src/kernel/topic.js';
import { projection } from '../../src/modules/projections/projection.js';
import { fold } from '../../src/testing/fold-events.js';
import { recorded } from '../../src/testing/recorded-events.js';
import { interleavings } from '../../src/testing/interleavings.js';

const Opened = event('account.opened', type<{ owner: string }>());
const Paid = event('account.paid', type<{ amount: string; kind: string }>());
const Closed = event('account.closed', type<Record<string, never>>());
const accounts = topic('accounts', { partitions: 4, events: [Opened, Paid, Closed] });

@Entity({ synchronize: false })
class AccountRow {
  @PrimaryColumn('text') id!: string;
  @Column('text') owner!: string;
  @Column('numeric', { precision: 12, scale: 2 }) paid!: string;
}
const accountsV1 = projection({ name: 'accounts', version: 1, from: [accounts], table: AccountRow })
  .on(Opened, (_, e) => ({ id: e.stream.id, owner: e.data.owner, paid: '0' }))
  .on(Paid, (row, e) => row && { ...row, paid: (Number(row.paid) + Number(e.data.amount)).toFixed(2) })
  .on(Closed, () => null);

@Entity({ synchronize: false })
class KindRow {
  @PrimaryColumn('text') tenant!: string;
  @PrimaryColumn('text') kind!: string;
  @Column('int') payments!: number;
  @Column('text') last!: string;
}
const Kinds = projection({ name: 'kinds', version: 1, from: [accounts], table: KindRow, tenant: 'tenant' });
const counted = Kinds.on(Paid, { key: (e) => ({ kind: e.data.kind }) }, (row, e) => ({
  tenant: e.tenant ?? '',
  kind: e.data.kind,
  payments: (row?.payments ?? 0) + 1,
  last: 'x',
}));
const lastWins = Kinds.on(Paid, { key: (e) => ({ kind: e.data.kind }) }, (row, e) => ({
  tenant: e.tenant ?? '',
  kind: e.data.kind,
  payments: (row?.payments ?? 0) + 1,
  last: e.stream.id,
}));

describe('fold', () => {
  it('makes the rows that the table would hold, without a database', () => {
    const folded = fold(
      accountsV1,
      recorded('a', Opened({ owner: 'Ada' })),
      recorded('b', Opened({ owner: 'Bob' })),
      recorded('a', Paid({ amount: '2.5', kind: 'cash' })),
      recorded('b', Closed({})),
    );
    expect(folded.row('a')).toEqual({ id: 'a', owner: 'Ada', paid: '2.50' });
    expect(folded.row({ id: 'b' })).toBeNull();
    expect(folded.rows()).toEqual([{ id: 'a', owner: 'Ada', paid: '2.50' }]);
  });

  it('takes events without a stream as those of one stream', () => {
    expect(fold(accountsV1, Opened({ owner: 'Ada' })).row('stream-1')).toEqual({ id: 'stream-1', owner: 'Ada', paid: '0.00' });
  });

  it('keeps tenants apart by their column', () => {
    const folded = fold(
      counted,
      recorded('a', Paid({ amount: '1', kind: 'cash' }), { tenant: 'acme' }),
      recorded('a', Paid({ amount: '1', kind: 'cash' })),
    );
    expect(folded.row({ tenant: 'acme', kind: 'cash' })).toMatchObject({ payments: 1 });
    expect(folded.row('cash')).toMatchObject({ tenant: '', payments: 1 });
  });

  it("takes a key's tenant from the event, also where the key leaves it undefined, and none but the event's", () => {
    const keyed = (tenant: (own: string | null) => string | undefined) =>
      Kinds.on(Paid, { key: (e) => ({ tenant: tenant(e.tenant) as string, kind: e.data.kind }) }, (row, e) => ({
        tenant: e.tenant ?? '',
        kind: e.data.kind,
        payments: (row?.payments ?? 0) + 1,
        last: 'x',
      }));
    const paid = recorded('a', Paid({ amount: '1', kind: 'cash' }), { tenant: 'acme' });
    for (const tenant of [() => undefined, (own: string | null) => own ?? ''])
      expect(fold(keyed(tenant), paid).rows()).toEqual([{ tenant: 'acme', kind: 'cash', payments: 1, last: 'x' }]);
    expect(() =>
      fold(
        keyed(() => 'other'),
        paid,
      ),
    ).toThrow(/KAPPA_BAD_KEY.*another tenant/);
  });

  it('fails as an engine would: a tenant without a column, a wrong value, a row that is mutated', () => {
    expect(() => fold(accountsV1, recorded('a', Opened({ owner: 'x' }), { tenant: 'acme' }))).toThrow(
      'KAPPA_TENANT_COLUMN_MISSING',
    );
    const wrong = projection({ name: 'accounts', version: 1, from: [accounts], table: AccountRow }).on(Opened, (_, e) => ({
      id: e.stream.id,
      owner: e.data.owner,
      paid: 'much',
    }));
    expect(() => fold(wrong, Opened({ owner: 'x' }))).toThrow(/KAPPA_BAD_ROW.*paid/);
    const mutating = projection({ name: 'accounts', version: 1, from: [accounts], table: AccountRow }).on(Opened, (row, e) => {
      if (row) (row as { owner: string }).owner = e.data.owner;
      return row ?? { id: e.stream.id, owner: e.data.owner, paid: '0' };
    });
    expect(() => fold(mutating, Opened({ owner: 'x' }), Opened({ owner: 'y' }))).toThrow(TypeError);
    expect(() => fold(accountsV1 as never, { type: 'account.unknown', data: {} } as never)).toThrow('KAPPA_UNKNOWN_EVENT_TYPE');
  });
});

describe('interleavings', () => {
  const lanes = ['a', 'b', 'c'].map((id) => [1, 2, 3].map((n) => recorded(id, Paid({ amount: `${n}`, kind: 'cash' }))));

  it('passes a fold that does not depend on the order between partitions', () => {
    interleavings(counted, lanes);
  });

  it('fails one that does with the two shortest histories that differ, the same for the same seed', () => {
    const failure = (): string => {
      try {
        interleavings(lastWins, lanes, { runs: 50, seed: 7 });
      } catch (error) {
        if (error instanceof AssertionError) return error.message;
        throw error;
      }
      return 'passed';
    };
    const message = failure();
    expect(message).toContain('kinds v1 depends on the order between partitions');
    expect(message.match(/account\.paid/g)).toHaveLength(4);
    expect(failure()).toBe(message);
  });
});
