import 'reflect-metadata';
import { afterEach, describe, expect, it } from 'vitest';
import { latest, type LogDriver, type Position } from 'nest-kappa';
import { startKappaTest, type KappaTest } from 'nest-kappa/testing';
import { MemoryCluster } from '../../src/log/memory/memory-cluster.js';
import { openKappa } from '../../src/modules/kappa/open-kappa.js';
import { RelayTarget } from '../aggregates/relay/relay-house.js';
import { account, accounts, Balances, balancesV1, Deposit, OpenAccount, Rates } from './bank.js';

/** A log beside PostgreSQL, as an option names it; processes that are given the same cluster share it. */
function memory(cluster = new MemoryCluster()): LogDriver {
  return { driver: 'memory', maxRecordBytes: 100_000, open: () => new RelayTarget({ cluster }) };
}

const definitions = { aggregates: [account], projections: [balancesV1] };
const inject = <T>(): T => new Rates() as T;

describe('an application whose log is not in PostgreSQL', () => {
  const stops: (() => Promise<void>)[] = [];
  afterEach(async () => {
    for (const stop of stops.splice(0).reverse()) await stop();
  });
  const start = async (log: LogDriver): Promise<KappaTest> => {
    const kappa = await startKappaTest({ ...definitions, inject, options: { log } });
    stops.push(() => kappa.stop());
    return kappa;
  };

  it('reads what it wrote at the position that the command returned', async () => {
    const kappa = await start(memory());
    expect(kappa.log.driver).toBe('memory');
    await kappa.commands.execute(new OpenAccount('a', 'Ann'));
    const { position } = await kappa.commands.execute(new Deposit('a', 17));
    expect(await kappa.reader(Balances).get('a', { at: position })).toMatchObject({ owner: 'Ann', cents: 17 });
    expect(kappa.runtime.relayHealth).toMatchObject({ state: 'relaying' });
  });

  it('waits with `caughtUp` also for what is not relayed yet', async () => {
    const kappa = await start(memory());
    await Promise.all(Array.from({ length: 40 }, (_, n) => kappa.commands.execute(new OpenAccount(`a-${n}`, 'Ann'))));
    await kappa.caughtUp();
    expect((await kappa.reader(Balances).list({ limit: 100 })).rows).toHaveLength(40);
  });

  it('takes the limit of a record from the log that is to hold it', async () => {
    const kappa = await start(memory());
    await expect(kappa.commands.execute(new OpenAccount('a', 'x'.repeat(100_000)))).rejects.toMatchObject({
      code: 'KAPPA_RECORD_TOO_LARGE',
    });
  });

  it('executes commands in a process that neither relays nor projects, for others that do', async () => {
    const log = memory(new MemoryCluster());
    const kappa = await startKappaTest({ ...definitions, inject, options: { log, run: { commands: true } } });
    stops.push(() => kappa.stop());
    expect(kappa.runtime.relayHealth).toBeNull();
    let position: Position = {};
    for (let n = 0; n < 5; n += 1)
      position = latest(position, (await kappa.commands.execute(new OpenAccount(`a-${n}`, 'Ann'))).position);
    expect((await kappa.runtime.relays.status()).map(({ relayed }) => relayed)).toEqual([0, 0]);

    // It has no aggregate of its own: what is to be relayed stands in the database.
    const relays = await openKappa({ database: { url: kappa.url }, log, run: { relay: true } }, {}, { env: {} });
    stops.push(() => relays.stop());
    const projects = await openKappa(
      { database: { url: kappa.url }, log, run: { projections: true } },
      { projections: [balancesV1] },
      { env: {} },
    );
    stops.push(() => projects.stop());
    expect(await kappa.reader(Balances).get('a-4', { at: position })).toMatchObject({ owner: 'Ann' });
    const status = await kappa.runtime.relays.status();
    expect(status.map(({ topic, behind, owned, waitingSince }) => ({ topic, behind, owned, waitingSince }))).toEqual(
      [0, 1].map(() => ({ topic: accounts.name, behind: 0, owned: true, waitingSince: null })),
    );
  });

  it('says that nothing is relayed where PostgreSQL carries the log', async () => {
    const kappa = await startKappaTest({ ...definitions, inject });
    stops.push(() => kappa.stop());
    expect(kappa.runtime.relays.relays).toBe(false);
    expect(await kappa.runtime.relays.status()).toEqual([]);
    await expect(kappa.runtime.relays.restart('accounts')).rejects.toMatchObject({ code: 'KAPPA_NOTHING_RELAYED' });
  });
});
