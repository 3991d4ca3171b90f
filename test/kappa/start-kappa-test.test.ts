import 'reflect-metadata';
import { afterEach, describe, expect, it } from 'vitest';
import { startKappaTest, type KappaTest } from 'nest-kappa/testing';
import { account, Balances, balancesV1, Deposit, OpenAccount, Rates } from './bank.js';

const running: KappaTest[] = [];
const inject = <T>(): T => new Rates() as T;
afterEach(() => Promise.all(running.splice(0).map((kappa) => kappa.stop())));

async function start(): Promise<KappaTest> {
  const kappa = await startKappaTest({ aggregates: [account], projections: [balancesV1], inject });
  running.push(kappa);
  return kappa;
}

describe('startKappaTest', () => {
  it('gives an application on a database of its own, and says when its projections have caught up', async () => {
    const kappa = await start();
    for (let n = 0; n < 20; n += 1) await kappa.commands.execute(new OpenAccount(`a${n}`, 'Ann'));
    await Promise.all(Array.from({ length: 20 }, (_, n) => kappa.commands.execute(new Deposit(`a${n}`, n))));
    await kappa.caughtUp();
    const { rows } = await kappa.reader(Balances).list({ sort: [{ by: 'cents', direction: 'desc' }], limit: 3 });
    expect(rows.map(({ cents }) => cents)).toEqual([19, 18, 17]);
    const { rows: sums } = await kappa.database.query('select sum(cents)::int as sum from public.balances');
    expect(sums).toEqual([{ sum: 190 }]);
  });

  it('lets many run side by side', async () => {
    const many = await Promise.all([start(), start(), start()]);
    await Promise.all(many.map(({ commands }, n) => commands.execute(new OpenAccount('same', `owner ${n}`))));
    await Promise.all(many.map((kappa) => kappa.caughtUp()));
    const owners = await Promise.all(many.map(async (kappa) => (await kappa.reader(Balances).get('same'))?.owner));
    expect(owners).toEqual(['owner 0', 'owner 1', 'owner 2']);
    const identities = await Promise.all(many.map(({ log }) => log.identity()));
    expect(new Set(identities.map(({ cluster }) => cluster)).size).toBe(3);
  });

  it('refuses what is wrong with words, and leaves no database', async () => {
    const error = await startKappaTest({
      aggregates: [account],
      projections: [Balances],
      options: { commands: { retry: 1 } as never },
    }).catch((reason: unknown) => reason);
    expect(error).toMatchObject({
      code: 'KAPPA_BAD_OPTIONS',
      facts: { problems: [expect.stringContaining('did you mean retries?'), expect.stringContaining('no handlers')] },
    });
  });
});
