import { once } from 'node:events';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { SourceProcesses } from '../../support/source-processes.js';
import { openHouse, sumOf, type House } from './house.js';
import { history, seeded } from './happenings.js';
import { accountsV1, flowsV1, kindsV1 } from './ledger.js';

describe('a rebuild that is killed', () => {
  let house: House;
  let processes: SourceProcesses;
  beforeEach(async () => {
    house = await openHouse();
    processes = await SourceProcesses.compile(new URL('./rebuild.process.ts', import.meta.url));
  });
  afterEach(async () => {
    await processes.clear();
    await house.stop();
  });

  it('ten times in a row at random points resumes each time and ends with the right tables, also with memory for few rows', async () => {
    await house.append(history(9_000, { accounts: 4_000, seed: 11 }));
    const definitions = [accountsV1, flowsV1, kindsV1];
    const roomy = await Promise.all(definitions.map((definition) => house.newBuild(definition)));
    const narrow = await Promise.all(definitions.map((definition) => house.newBuild(definition)));
    const ids = (works: typeof roomy): string => works.map((work) => work.build.id).join(',');
    const random = seeded(Date.now());
    const stood: number[] = [];
    for (let kill = 0; kill < 10; kill++) {
      const child = await processes.start({
        REBUILD_URL: house.url,
        ROOMY: ids(roomy),
        NARROW: ids(narrow),
      });
      const exited = once(child, 'exit');
      // Every other kill comes wherever it comes, the others once this process has moved on from where the last was killed.
      if (kill % 2 === 1) await house.movedOn(roomy[0]!);
      await new Promise((resolve) => setTimeout(resolve, random() * 300));
      child.kill('SIGKILL');
      await exited;
      stood.push(sumOf(await house.standsAt(roomy[0]!)));
    }
    expect(stood).toEqual([...stood].sort((a, b) => a - b));
    expect(new Set(stood).size).toBeGreaterThan(4);
    await Promise.all([
      house.rebuild({ works: roomy, leaseMs: 300 }),
      house.rebuild({ works: narrow, leaseMs: 300, memoryMb: 1 }),
    ]);
    for (const [i, definition] of definitions.entries()) {
      const right = await house.cleanFold(definition, roomy[i]!);
      expect(await house.rows(roomy[i]!)).toEqual(right);
      expect(await house.rows(narrow[i]!)).toEqual(right);
    }
  }, 150_000);
});
