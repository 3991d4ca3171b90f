import { Column, Entity, PrimaryColumn } from 'typeorm';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { partitionOf } from '../../../src/kernel/partitioner.js';
import type { ReadOptions } from '../../../src/log/event-log.js';
import { projection } from '../../../src/modules/projections/projection.js';
import type { Happening } from './happenings.js';
import { recordOf } from './happenings.js';
import { openHouse, type House } from './house.js';
import { accounts, accountsV1, Opened, Paid, PARTITIONS } from './ledger.js';
import { opened, poison, POISON, poisoned } from './poison.js';

@Entity({ synchronize: false })
class ByUuid {
  @PrimaryColumn('uuid') id!: string;
  @Column('int') payments!: number;
}
const byUuid = projection({ name: 'by-uuid', version: 1, from: [accounts], table: ByUuid }).on(Paid, (row, { stream }) => ({
  id: stream.id,
  payments: (row?.payments ?? 0) + 1,
}));

@Entity({ synchronize: false })
class ByText {
  @PrimaryColumn('text') id!: string;
  @Column('int') payments!: number;
}
const byText = projection({ name: 'by-text', version: 1, from: [accounts], table: ByText }).on(Paid, (row, { stream }) => ({
  id: stream.id,
  payments: (row?.payments ?? 0) + 1,
}));

/** Room for far fewer rows than there are accounts. */
const MEMORY_MB = 0.2;
const ACCOUNTS = 1_000;
const EVENTS = 2_000;
/** More than a rebuild leaves to the live runner. */
const MANY = 21_000;

const pay = (account: string): Happening => ({ account, type: Paid, data: { cents: 1, kind: 'k', to: 'x' } });
const payments = (count: number): Happening[] => Array.from({ length: count }, (_, n) => pay(`a${n % ACCOUNTS}`));
const openings = (count: number, ids: number): Happening[] =>
  Array.from({ length: count }, (_, n) => ({ account: `a${n % ids}`, type: Opened, data: { owner: 'o' } }));

/** How many partitions each read of the log asks for, from here on. */
function partitionsRead(house: House): () => readonly number[] {
  const reads = vi.spyOn(house.log, 'read');
  return () => reads.mock.calls.map(([{ from }]) => Object.keys(from).length);
}

describe('a rebuild that reads partition by partition', () => {
  let house: House;
  beforeEach(async () => {
    house = await openHouse();
  });
  afterEach(() => house.stop());

  it('does so once it has seen that rows are too many, and writes nothing before', async () => {
    await house.append(openings(EVENTS, ACCOUNTS));
    const work = await house.newBuild(accountsV1);
    const read = partitionsRead(house);
    const commits = await house.countCommits();
    await house.rebuild({ works: [work], memoryMb: MEMORY_MB, batchRecords: 50 });
    expect(read()).toEqual([PARTITIONS, ...Array.from({ length: PARTITIONS }, () => 1)]);
    expect(await commits()).toBe(PARTITIONS);
    expect(await house.rows(work)).toEqual(await house.cleanFold(accountsV1, work));
  });

  it('does not where rows turn out to be few', async () => {
    await house.append(openings(EVENTS, PARTITIONS * 4));
    const work = await house.newBuild(accountsV1);
    const read = partitionsRead(house);
    await house.rebuild({ works: [work], memoryMb: MEMORY_MB, batchRecords: 50 });
    expect(read()).toEqual([PARTITIONS]);
    expect(await house.rows(work)).toEqual(await house.cleanFold(accountsV1, work));
  });

  it('does so at once where an earlier rebuild has left rows, and takes these in', async () => {
    await house.append(openings(EVENTS, ACCOUNTS));
    const work = await house.newBuild(accountsV1);
    await house.rebuildUntil({ works: [work], memoryMb: MEMORY_MB, batchRecords: 50, maxEventsPerSecond: EVENTS }, 1);
    const read = partitionsRead(house);
    await house.rebuild({ works: [work], memoryMb: MEMORY_MB, batchRecords: 50 });
    expect(new Set(read())).toEqual(new Set([1]));
    expect(await house.rows(work)).toEqual(await house.cleanFold(accountsV1, work));
  });

  it('does so, too, where memory is full only after rows were written, and goes on behind these', async () => {
    const few = PARTITIONS * 4;
    await house.append([...openings(EVENTS, few), ...openings(EVENTS, ACCOUNTS)]);
    const work = await house.newBuild(accountsV1);
    const read = partitionsRead(house);
    await house.rebuild({ works: [work], memoryMb: MEMORY_MB, batchRecords: 50, checkpointMs: 0 });
    expect(read()[0]).toBe(PARTITIONS);
    expect(new Set(read().slice(1))).toEqual(new Set([1]));
    expect(await house.rows(work)).toEqual(await house.cleanFold(accountsV1, work));
  });

  it('does so for the others where one has failed before', async () => {
    const [first = ''] = Array.from({ length: ACCOUNTS }, (_, n) => `b${n}`).filter((id) => partitionOf(id, PARTITIONS) === 0);
    await house.append([opened(first), poison(first), ...openings(EVENTS, ACCOUNTS)]);
    const halting = poisoned({ ...accountsV1, name: 'halting' }, undefined, { retries: 0, maxLetters: 0 });
    const [failing, work] = [await house.newBuild(halting), await house.newBuild(accountsV1)];
    const read = partitionsRead(house);
    await house.rebuild({ works: [failing, work], memoryMb: MEMORY_MB, batchRecords: 50 });
    expect(read()).toEqual([PARTITIONS, ...Array.from({ length: PARTITIONS }, () => 1)]);
    await house.stateOf(failing, 'failed');
    expect(await house.rows(work)).toEqual(await house.cleanFold(accountsV1, work));
  });

  it('sets aside once what it has met twice', async () => {
    const [first = ''] = Array.from({ length: ACCOUNTS }, (_, n) => `b${n}`).filter((id) => partitionOf(id, PARTITIONS) === 0);
    await house.append([opened(first), poison(first), ...openings(EVENTS, ACCOUNTS)]);
    let met = 0;
    const definition = poisoned(accountsV1, (e) => (e.data as { cents?: number }).cents === POISON && ++met > 0, {
      retries: 0,
    });
    const work = await house.newBuild(definition);
    await house.rebuild({ works: [work], memoryMb: MEMORY_MB, batchRecords: 50 });
    expect(met).toBe(2);
    const letters = await house.letters(work);
    expect(letters).toHaveLength(1);
    expect(await house.rows(work)).toEqual(await house.cleanFold(accountsV1, work, undefined, letters));
  });

  it.each([
    ['by partition', MEMORY_MB],
    ['by partition in the second only', 2],
  ])(
    'finds what its first pass has written in the next, which what was appended meanwhile makes necessary: %s',
    async (_, memoryMb) => {
      await house.append(openings(EVENTS, ACCOUNTS));
      const work = await house.newBuild(accountsV1);
      const read = house.log.read.bind(house.log);
      const reading = vi.spyOn(house.log, 'read').mockImplementationOnce(async function* (options: ReadOptions) {
        await house.append(payments(MANY));
        yield* read(options);
      });
      await house.rebuild({ works: [work], memoryMb });
      expect(reading.mock.calls.length).toBeGreaterThan(1);
      expect(await house.rows(work)).toEqual(await house.cleanFold(accountsV1, work));
    },
  );

  it('folds into one row the streams of several partitions whose ids are one in the column', async () => {
    const ids = Array.from({ length: ACCOUNTS }, (_, n) => `abcdef00-0000-4000-8000-${String(n).padStart(12, '0')}`);
    const apart = ids.find((id) => partitionOf(id, PARTITIONS) !== partitionOf(id.toUpperCase(), PARTITIONS)) ?? '';
    await house.append([...Array.from({ length: EVENTS }, (_, n) => pay(ids[n % ACCOUNTS] ?? '')), pay(apart.toUpperCase())]);
    const work = await house.newBuild(byUuid);
    await house.rebuild({ works: [work], memoryMb: MEMORY_MB });
    const rows = await house.rows(work);
    expect(rows).toHaveLength(ACCOUNTS);
    expect(rows.find(({ id }) => id === apart)).toMatchObject({ payments: EVENTS / ACCOUNTS + 1 });
  });

  it('folds into one row the records of a stream that others have spread over partitions', async () => {
    const spread = payments(EVENTS).map((happening, n) => ({
      ...recordOf(happening, n),
      key: `k${n}`,
      partition: (n >> 3) % PARTITIONS,
    }));
    await house.appendRecords(spread);
    const work = await house.newBuild(byText);
    await house.rebuild({ works: [work], memoryMb: MEMORY_MB });
    const rows = await house.rows(work);
    expect(rows).toHaveLength(ACCOUNTS);
    expect(new Set(rows.map(({ payments }) => payments))).toEqual(new Set([EVENTS / ACCOUNTS]));
  });
});
