import 'reflect-metadata';
import { expect, it } from 'vitest';
import { latest, type Position } from '../../../src/kernel/position.js';
import { openKappa } from '../../../src/modules/kappa/open-kappa.js';
import type { KappaRuntime } from '../../../src/modules/kappa/kappa-runtime.js';
import { createTestDatabase } from '../../../src/testing/test-server.js';
import { Child } from '../../support/child.js';
import { account, all, balancesV1, kindsV1, money, PARTITIONS, Pay, spentV1 } from './payments.js';

const REPLICA = new URL('./replica.process.ts', import.meta.url);
const ACCOUNTS = 40;
const PAYMENTS = 1_500;

/** The right tables, counted beside the application. */
class Ledger {
  readonly #spent = new Map<string, number>();
  readonly #kinds = new Map<string, { cents: number; payments: number }>();
  readonly #balances = new Map<string, number>();

  add({ accountId, cents, kind, to }: Pay): void {
    this.#spent.set(accountId, (this.#spent.get(accountId) ?? 0) + cents);
    const of = this.#kinds.get(kind) ?? { cents: 0, payments: 0 };
    this.#kinds.set(kind, { cents: of.cents + cents, payments: of.payments + 1 });
    this.#balances.set(accountId, (this.#balances.get(accountId) ?? 0) - cents);
    this.#balances.set(to, (this.#balances.get(to) ?? 0) + cents);
  }

  get tables(): object {
    return {
      spent: sorted([...this.#spent].map(([id, cents]) => ({ id, amount: money(cents) }))),
      kinds: sorted([...this.#kinds].map(([kind, { cents, payments }]) => ({ kind, amount: money(cents), payments }))),
      balances: sorted([...this.#balances].map(([who, cents]) => ({ who, amount: money(cents) }))),
    };
  }
}

async function tablesOf({ database }: KappaRuntime): Promise<object> {
  const rows = async (statement: string) => sorted((await database.query(statement)).rows);
  return {
    spent: await rows('select id, amount::text from public.spent'),
    kinds: await rows('select kind, amount::text, payments from public.kinds'),
    balances: await rows('select who, amount::text from public.balances'),
  };
}

function sorted(rows: readonly object[]): readonly object[] {
  return [...rows].sort((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1));
}

/** Sixteen payments at a time, from every account to others; `n` makes each one another. */
async function pay(kappa: KappaRuntime, ledger: Ledger, from: number): Promise<Position> {
  let position: Position = {};
  const writers = Array.from({ length: 16 }, async (_, writer) => {
    for (let n = from + writer; n < from + PAYMENTS; n += 16) {
      const command = new Pay(`a${n % ACCOUNTS}`, 1 + ((n * 7919) % 99_999), `k${n % 3}`, `a${(n * 31 + 7) % ACCOUNTS}`);
      const done = await kappa.commands.execute(command);
      position = latest(position, done.position);
      ledger.add(command);
    }
  });
  await Promise.all(writers);
  return position;
}

/** Waits until two processes have half of the partitions each, of the group of every live build. */
async function untilShared({ database }: KappaRuntime): Promise<void> {
  for (;;) {
    const { rows } = await database.query<{ shares: readonly number[] }>(
      `select array_agg(share) as shares from (
         select count(*)::int as share from group_partitions p
         join builds b on p.group_name like '%.build-' || b.id
         where b.state = 'live' and p.owner is not null group by p.group_name, p.owner
       ) s`,
    );
    const shares = rows[0]?.shares ?? [];
    if (shares.length === 2 * all.length && shares.every((share) => share === PARTITIONS / 2)) return;
  }
}

it('two processes share eight partitions of hot and shared rows, live and beside a rebuild: equal to the cent', async () => {
  const test = await createTestDatabase();
  const kappa = await openKappa(
    { database: { url: test.url } },
    { aggregates: [account], projections: all },
    { engines: false, env: {} },
  );
  const env = { DATABASE_URL: test.url };
  const replicas = [await Child.start(REPLICA, env), await Child.start(REPLICA, env)];
  const readers = [kappa.reader(spentV1), kappa.reader(kindsV1), kappa.reader(balancesV1)];
  const ledger = new Ledger();
  const reach = async (position: Position): Promise<void> => {
    for (const reader of readers) await reader.waitFor(position, { timeoutMs: 60_000 });
  };
  try {
    await untilShared(kappa);
    await reach(await pay(kappa, ledger, 0));
    expect(await tablesOf(kappa)).toEqual(ledger.tables);

    const writing = pay(kappa, ledger, PAYMENTS);
    for await (const { error } of kappa.operations.rebuild({ projections: [], all: true, swap: true }))
      expect(error).toBeNull();
    await reach(await writing);
    expect(await tablesOf(kappa)).toEqual(ledger.tables);
    // What was live before has gone on, by the same two processes.
    for (const { name } of all)
      expect(await kappa.operations.verify(name, await standbyOf(kappa, name))).toMatchObject({
        added: 0,
        removed: 0,
        changed: 0,
      });
  } finally {
    for (const replica of replicas) await replica.finish();
    await kappa.stop();
    await test.drop();
  }
}, 180_000);

async function standbyOf({ operations }: KappaRuntime, name: string): Promise<{ readonly build: number }> {
  const [status] = await operations.status([name]);
  const found = status?.builds.find(({ build }) => build.state === 'standby')?.build;
  if (!found) throw new Error(`no standby build of ${name}`);
  return { build: found.id };
}
