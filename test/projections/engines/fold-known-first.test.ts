import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { partitionKey } from '../../../src/kernel/position.js';
import type { LogRecord } from '../../../src/kernel/record.js';
import type { RecordSource } from '../../../src/log/event-log.js';
import { EventFailure } from '../../../src/modules/projections/fold/event-failure.js';
import { RowWindow } from '../../../src/modules/projections/fold/row-window.js';
import { BatchPart } from '../../../src/modules/projections/runner/batch-part.js';
import { foldBatch } from '../../../src/modules/projections/runner/fold-batch.js';
import { foldKnownFirst } from '../../../src/modules/projections/runner/fold-known-first.js';
import { history } from './happenings.js';
import { openHouse, type House } from './house.js';
import { accounts, accountsV1, Opened, Paid } from './ledger.js';

/** Records as a log gives them that makes them when they are asked for, and how many it has made. */
class MadeAnew implements RecordSource {
  made = 0;

  constructor(private readonly records: readonly LogRecord[]) {}

  get length(): number {
    return this.records.length;
  }

  slice(from: number, to: number): readonly LogRecord[] {
    const some = this.records.slice(from, to).map((record) => ({ ...record }));
    this.made += some.length;
    return some;
  }
}

describe('a batch whose rows must be read first', () => {
  let house: House;
  beforeEach(async () => {
    house = await openHouse();
  });
  afterEach(() => house.stop());

  async function logged(): Promise<readonly LogRecord[][]> {
    const ends = await house.log.offsets(accounts.name);
    const all = ends.map((): LogRecord[] => []);
    const to = Object.fromEntries(ends.map(({ partition, end }) => [partitionKey(accounts.name, partition), end]));
    const from = Object.fromEntries(Object.keys(to).map((key) => [key, 0]));
    for await (const { partition, records } of house.log.read({ from, to })) all[partition]?.push(...records);
    return all;
  }

  it('is folded as event by event, also where most of it waits', async () => {
    const work = await house.newBuild(accountsV1);
    await house.rebuild({ works: [work] });
    await house.append(history(6_000, { accounts: 900, seed: 11 }));
    const all = await logged();
    const keys = all.map((_, partition) => partitionKey(accounts.name, partition));
    for (let half = 0; half < 2; half += 1) {
      const claims = await house.builds.claim(work.build.id, keys);
      const parts = claims.map(({ topic, partition, epoch, nextOffset }) => {
        const records = all[partition] ?? [];
        const to = half === 0 ? records.length >> 1 : records.length;
        return new BatchPart({ topic, partition, epoch, from: nextOffset, to }, new MadeAnew(records.slice(nextOffset, to)));
      });
      expect(await foldBatch(house.database, house.builds, work, parts)).toBe('advanced');
    }
    expect(await house.rows(work)).toEqual(await house.cleanFold(accountsV1, work));
  });

  it('keeps few of its events until then: the others are made once more', async () => {
    const work = await house.newBuild(accountsV1);
    const paid = { account: 'a1', type: Paid, data: { cents: 1, kind: 'k0', to: 'a2' } };
    await house.append([{ account: 'a1', type: Opened, data: { owner: 'one' } }, ...Array.from({ length: 1_999 }, () => paid)]);
    const [records = []] = (await logged()).filter(({ length }) => length > 0);
    const source = new MadeAnew(records);
    const rows = new RowWindow(false);
    let reads = 0;
    await foldKnownFirst(work.plan, [source], rows, async () => {
      reads += 1;
      rows.read(new Map());
    });
    expect(reads).toBe(1);
    expect([...rows.entries.values()].map(({ row }) => row)).toMatchObject([{ id: 'a1', payments: 1_999 }]);
    expect(source.made).toBe(2_000 + 2_000 - 512);
  });

  it('folds at once what belongs to rows that are known, between all that waits', async () => {
    const work = await house.newBuild(accountsV1);
    await house.append(history(4_000, { accounts: 300, seed: 23 }));
    const all = (await logged()).flat();
    const [whole, known] = [new RowWindow(true), new RowWindow(false)];
    await foldKnownFirst(work.plan, [all], whole, async () => undefined);
    // Every other row is known already: to be none.
    for (const [at, text] of [...whole.entries.keys()].entries())
      if (at % 2 === 0) known.touch(text, whole.entries.get(text)?.key ?? {}).known = true;
    known.unread = [];
    for (const entry of known.entries.values()) entry.queued = false;
    await foldKnownFirst(work.plan, [new MadeAnew(all)], known, async () => known.read(new Map()));
    const rowsOf = ({ entries }: RowWindow) => new Map([...entries].map(([text, { row }]) => [text, row]));
    expect(rowsOf(known)).toEqual(rowsOf(whole));
  });

  it.each([10, 800])('fails at the event at fault, wherever it waits (%i)', async (fault) => {
    const work = await house.newBuild(accountsV1);
    await house.append([
      { account: 'a1', type: Opened, data: { owner: 'one' } },
      ...Array.from({ length: 999 }, (_, n) => ({
        account: 'a1',
        type: Paid,
        data: { cents: n === fault - 1 ? 0.5 : 1, kind: 'k0', to: 'a2' },
      })),
    ]);
    const [records = []] = (await logged()).filter(({ length }) => length > 0);
    const rows = new RowWindow(false);
    const folding = foldKnownFirst(work.plan, [records], rows, async () => rows.read(new Map()));
    await expect(folding).rejects.toBeInstanceOf(EventFailure);
    await expect(folding).rejects.toMatchObject({ record: { offset: fault } });
  });
});
