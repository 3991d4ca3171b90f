import { expect, it } from 'vitest';
import { topicName, type Offset } from '../../../src/kernel/names.js';
import type { LogRecord } from '../../../src/kernel/record.js';
import type { PageWish } from '../../../src/log/page-source.js';
import { RecentRecords } from '../../../src/log/postgres/recent-records.js';

const topic = topicName('recent');

function records(partition: number, first: number, count: number, bytes = 100): readonly LogRecord[] {
  return Array.from({ length: count }, (_, index) => ({
    topic,
    partition,
    offset: (first + index) as Offset,
    timestampUs: 1_000 + first + index,
    key: null,
    value: Buffer.alloc(bytes - 64),
    headers: {},
  }));
}

const wish = (from: number, more: Partial<PageWish> = {}): PageWish => ({
  topic,
  partition: 0,
  from: from as Offset,
  to: null,
  maxRecords: 1_000,
  maxBytes: 1_000_000,
  ...more,
});

function recent(...added: readonly (readonly LogRecord[])[]): RecentRecords {
  const made = new RecentRecords({ partitionBytes: 10_000, bytes: 25_000 });
  for (const each of added) made.add(each);
  return made;
}

const offsets = (log: RecentRecords, asked: PageWish): readonly number[] | null =>
  log.page(asked)?.records.map(({ offset }) => offset) ?? null;

it('gives what follows from a known offset on, within the bounds of the wish', () => {
  const log = recent(records(0, 10, 3), records(0, 13, 2));
  expect(log.page(wish(11))).toEqual({ begin: 11, end: 15, records: [...records(0, 11, 4)] });
  expect(offsets(log, wish(11, { maxRecords: 2 }))).toEqual([11, 12]);
  expect(offsets(log, wish(11, { to: 13 as Offset }))).toEqual([11, 12]);
  expect(offsets(log, wish(11, { maxBytes: 101 }))).toEqual([11, 12]);
  expect(offsets(log, wish(11, { maxBytes: 1 }))).toEqual([11]);
});

it('leaves to the database what it does not hold: earlier ones, later ones, other partitions', () => {
  const log = recent(records(0, 10, 3));
  for (const asked of [wish(9), wish(13), wish(10, { partition: 1 })]) expect(log.page(asked)).toBeNull();
});

it.each([
  ['beyond a gap', 15],
  ['from an earlier offset on, as after a restore', 5],
])('begins anew %s', (_, first) => {
  const log = recent(records(0, 10, 3), records(0, first, 1));
  expect(log.page(wish(10))).toBeNull();
  expect(offsets(log, wish(first))).toEqual([first]);
});

it('holds the newer part of a partition that outgrows its bounds', () => {
  const log = recent(records(0, 0, 150));
  expect(log.page(wish(0))).toBeNull();
  expect(offsets(log, wish(149))).toEqual([149]);
});

it('holds the partitions that were appended to last', () => {
  const log = recent(records(0, 0, 90), records(1, 0, 90), records(0, 90, 1), records(2, 0, 90));
  expect(log.page(wish(0, { partition: 1 }))).toBeNull();
  expect(offsets(log, wish(90))).toEqual([90]);
  expect(offsets(log, wish(89, { partition: 2 }))).toEqual([89]);
});

it('holds nothing once it is in doubt', () => {
  const log = recent(records(0, 0, 5));
  log.clear();
  expect(log.page(wish(0))).toBeNull();
  log.add(records(0, 5, 1));
  expect(offsets(log, wish(5))).toEqual([5]);
});

it('holds no longer what all readers were given, and goes on behind it', () => {
  const log = recent();
  log.add(records(0, 0, 5), () => 0);
  log.add(records(0, 5, 2), () => 4);
  expect(log.page(wish(3))).toBeNull();
  expect(offsets(log, wish(4))).toEqual([4, 5, 6]);
  log.add(records(0, 7, 1), () => Infinity);
  expect(log.page(wish(7))).toBeNull();
  log.add(records(0, 8, 2), () => 8);
  expect(offsets(log, wish(8))).toEqual([8, 9]);
});

it('has room again for what is held when what was given is dropped', () => {
  const log = recent();
  for (let first = 0; first < 900; first += 90) log.add(records(0, first, 90), () => first);
  log.add(records(1, 0, 90));
  expect(offsets(log, wish(810))).toHaveLength(90);
});

it('holds nothing that stands behind a newer record, as where the log lost its end', () => {
  const log = recent();
  log.add(records(0, 0, 8), () => 6);
  expect(offsets(log, wish(6))).toEqual([6, 7]);
  log.add(records(0, 5, 1), () => 6);
  expect(log.page(wish(6))).toBeNull();
});
