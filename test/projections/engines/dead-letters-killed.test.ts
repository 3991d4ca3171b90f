import { once } from 'node:events';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { projection } from '../../../src/modules/projections/projection.js';
import { SourceProcesses } from '../../support/source-processes.js';
import { history, seeded, type Happening } from './happenings.js';
import { openHouse, sumOf, type House } from './house.js';
import { accounts, accountsV1, AccountRow, flowsV1, Opened, Paid } from './ledger.js';
import { ask, isPoison, open, poison, poisoned, told } from './poison.js';

const QUICKLY = { retries: 0, maxLetters: 100_000 };

/** About one in fifty is poison. */
function withPoison(events: number, seed: number): readonly Happening[] {
  const random = seeded(seed);
  return history(events, { accounts: 400, seed }).map((each) => (random() < 0.02 ? poison(each.account) : each));
}

describe('dead letters of a process that is killed', () => {
  let house: House;
  let processes: SourceProcesses;
  beforeAll(async () => {
    processes = await SourceProcesses.compile(new URL('./poisoned.process.ts', import.meta.url));
  });
  afterAll(() => processes.clear());
  beforeEach(async () => {
    house = await openHouse();
  });
  afterEach(() => house.stop());

  /** Kills it wherever it is then; `first`: but not before this. */
  const killed = async (
    env: Readonly<Record<string, string>>,
    afterMs: number,
    first: () => Promise<void> = () => Promise.resolve(),
  ): Promise<void> => {
    const child = await processes.start({ URL: house.url, ...env });
    await first();
    await new Promise((resolve) => setTimeout(resolve, afterMs));
    child.kill('SIGKILL');
    await once(child, 'exit');
  };

  it('in the middle of a rebuild are those of a rebuild that nobody killed', async () => {
    await house.append(withPoison(5_000, 1));
    const definitions = [accountsV1, flowsV1].map((definition) => poisoned(definition, isPoison, QUICKLY));
    const works = await Promise.all(definitions.map((definition) => house.newBuild(definition)));
    const whole = await Promise.all(definitions.map((definition) => house.newBuild(definition)));
    const ids = works.map(({ build }) => build.id).join(',');
    const random = seeded(Date.now());
    const stood: number[] = [];
    for (let kill = 0; kill < 5; kill++) {
      await killed({ BUILDS: ids }, random() * 200, () => house.movedOn(works[0]!));
      stood.push(sumOf(await house.standsAt(works[0]!)));
    }
    expect(new Set(stood).size).toBeGreaterThan(2);
    await house.rebuild({ works, leaseMs: 300 });
    await house.rebuild({ works: whole });
    for (const [i, work] of works.entries()) {
      const letters = await house.letters(work);
      expect(letters.length).toBeGreaterThan(50);
      expect(letters.map(told)).toEqual((await house.letters(whole[i]!)).map(told));
      expect(await house.rows(work)).toEqual(await house.cleanFold([accountsV1, flowsV1][i]!, work, undefined, letters));
    }
  }, 90_000);

  it('while they are retried and events go on, are all applied in order by who comes after', async () => {
    const definitions = [accountsV1, flowsV1].map((definition) => poisoned(definition, isPoison, QUICKLY));
    const works = await Promise.all(definitions.map((definition) => house.newBuild(definition)));
    await house.append(withPoison(1_500, 2));
    await house.rebuild({ works });
    const ids = works.map(({ build }) => build.id).join(',');
    let end = {};
    const random = seeded(Date.now());
    for (let kill = 0; kill < 5; kill++) {
      for (const work of works) await ask(house, work, 'retry');
      end = await house.append(history(300, { accounts: 400, seed: 50 + kill }));
      await killed({ BUILDS: ids, FOLLOW: 'yes', CORRECTED: 'yes' }, 300 + random() * 500);
    }
    const sound = works.map(({ build }, i) => house.work(build, [accountsV1, flowsV1][i]!));
    for (const work of sound) {
      await ask(house, work, 'retry');
      house.follow(work);
    }
    for (const [i, work] of sound.entries()) {
      await house.reached(work, end);
      await house.waiting(work, 0);
      expect(await house.rows(work)).toEqual(await house.cleanFold([accountsV1, flowsV1][i]!, work));
    }
  }, 90_000);
});

describe('the order of a key', () => {
  let house: House;
  beforeEach(async () => {
    house = await openHouse();
  });
  afterEach(() => house.stop());

  /** The list of all payments, so that a row tells in which order they were taken in. */
  const Lists = projection({ name: 'lists', version: 1, from: [accounts], table: AccountRow });
  const listed = Lists.on(
    Opened,
    (row, e) => row ?? { id: e.stream.id, owner: '', cents: 0n, payments: 0, last: e.occurredAt },
  ).on(Paid, (row, e) => row && { ...row, owner: `${row.owner},${e.data.cents}`, payments: row.payments + 1 });

  it('holds while owners take over from each other, letters are retried and fail again, and events of the key go on', async () => {
    let patience = 0;
    const random = seeded(7);
    const definition = poisoned(listed, (e) => e.type === Paid.type && patience > 0 && random() < 0.3, QUICKLY);
    const work = await house.newBuild(definition);
    await house.rebuild({ works: [work] });
    const other = await house.another();
    for (const process of [house, other]) process.follow(process.work(work.build, definition));
    const keys = Array.from({ length: 8 }, (_, n) => `accounts/${n}` as const);
    const names = ['u', 'v', 'w'];
    await house.append(names.map((account) => ({ account, type: Opened, data: { owner: '' } })));
    patience = 1;
    let cents = 0;
    let end = {};
    for (let round = 0; round < 40; round++) {
      const paid = names.map((account) => ({ account, type: Paid, data: { cents: ++cents, kind: 'k', to: account } }));
      end = { ...end, ...(await house.append(paid)) };
      await ask(house, work, 'retry');
      // A late claim: whoever owns the partitions now finds itself fenced, perhaps in the middle of a retry.
      if (round % 5 === 0) await house.builds.claim(work.build.id, keys);
    }
    await house.reached(work, end);
    patience = 0;
    for (;;) {
      const waiting = open(await house.letters(work));
      if (waiting.length === 0) break;
      await ask(house, work, 'retry');
      await house.waiting(work, 0);
    }
    expect((await house.letters(work)).length).toBeGreaterThan(0);
    expect(await house.rows(work)).toEqual(await house.cleanFold(listed, work));
  }, 60_000);
});
