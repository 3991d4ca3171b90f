import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { topicName, type TopicName } from '../../../src/kernel/names.js';
import type { LogBatch, ReadOptions } from '../../../src/log/event-log.js';
import { position, record, uniqueName } from '../../../src/testing/log-conformance/log-under-test.js';
import { LogDatabase, type LogClient } from './log-databases.js';

let test: LogDatabase;
let client: LogClient;

beforeAll(async () => {
  test = await LogDatabase.create();
  client = await test.client();
});

afterAll(() => test.close());

/** A partition of 30 records of which only some are left, as a log has it that was copied from elsewhere. */
async function sparseTopic(left: readonly number[]): Promise<TopicName> {
  const name = topicName(uniqueName('sparse'));
  await client.log.createTopic({ name, partitions: 1, retention: null });
  await client.log.append(
    Array.from({ length: 30 }, (_, index) => ({ ...record(name, 0, `${index}`), value: Buffer.alloc(1_000) })),
  );
  await client.database.query(
    `delete from log_records r using topics t where t.id = r.topic_id and t.name = $1 and r."offset" < 29 and not r."offset" = any ($2)`,
    [name, left],
  );
  return name;
}

async function read(options: ReadOptions): Promise<LogBatch[]> {
  const batches: LogBatch[] = [];
  for await (const batch of client.log.read(options)) batches.push(batch);
  return batches;
}

function offsetsOf(batches: readonly LogBatch[]): number[] {
  return batches.flatMap((batch) => batch.records.map(({ offset }) => offset));
}

describe('pages over holes', () => {
  it('give what is there and go on behind it', async () => {
    const topic = await sparseTopic([2, 3, 17]);
    const batches = await read({ from: position([topic, 0, 0]), to: position([topic, 0, 30]), maxBatchRecords: 2 });
    expect(offsetsOf(batches)).toEqual([2, 3, 17, 29]);
    expect(batches.map(({ next }) => next)).toEqual([4, 30]);
  });

  it('move the position over a range that holds nothing, with an empty batch', async () => {
    const topic = await sparseTopic([2]);
    const batches = await read({ from: position([topic, 0, 3]), to: position([topic, 0, 20]) });
    expect(batches.map(({ records, next, end }) => [records.length, next, end])).toEqual([[0, 20, 30]]);
  });

  it('cut by their bytes do not go beyond what they hold', async () => {
    const topic = await sparseTopic([2, 3, 17, 18, 19]);
    const batches = await read({ from: position([topic, 0, 0]), to: position([topic, 0, 30]), maxBatchBytes: 1_500 });
    expect(batches.map(({ records, next }) => [records.length, next])).toEqual([
      [2, 4],
      [2, 19],
      [2, 30],
    ]);
    expect(offsetsOf(batches)).toEqual([2, 3, 17, 18, 19, 29]);
  });

  it('end a poll of a member with the position moved, though there is no record', async () => {
    const topic = await sparseTopic([]);
    await client.database.query(`delete from log_records r using topics t where t.id = r.topic_id and t.name = $1`, [topic]);
    await client.database.query(
      `insert into partition_begins (topic_id, partition, begin_offset) select id, 0, 30 from topics where name = $1`,
      [topic],
    );
    expect(await client.log.offsets(topic)).toEqual([{ partition: 0, begin: 30, end: 30 }]);
    expect(await client.log.append([record(topic, 0, 'next')])).toEqual(position([topic, 0, 31]));
  });

  it('find an offset by time over holes', async () => {
    const topic = await sparseTopic([5, 20]);
    await client.database.query(
      `update log_records r set recorded_at = '2026-01-01T00:00:00Z'::timestamptz + r."offset" * interval '1 s' from topics t where t.id = r.topic_id and t.name = $1`,
      [topic],
    );
    const at = async (second: number) => (await client.log.offsetsAt(topic, Date.UTC(2026, 0, 1, 0, 0, second)))[0];
    expect(await Promise.all([0, 5, 6, 20, 21, 29, 30].map(at))).toEqual([5, 5, 20, 20, 29, 29, 30]);
  });
});

describe('one statement', () => {
  it('reads pages of many partitions in one snapshot', async () => {
    const name = topicName(uniqueName('many'));
    await client.log.createTopic({ name, partitions: 20, retention: null });
    await client.log.append(Array.from({ length: 100 }, (_, index) => record(name, index % 20, `${index}`)));
    const wishes = Array.from({ length: 20 }, (_, partition) => ({
      topic: name,
      partition,
      from: 0 as never,
      to: partition % 2 ? (3 as never) : null,
      maxRecords: 4,
      maxBytes: 1_000_000,
    }));
    const pages = await client.log.pages(wishes);
    expect(pages.map(({ records }) => records.length)).toEqual(wishes.map(({ to }) => (to === null ? 4 : 3)));
    pages.forEach(({ records, begin, end }, partition) => {
      expect([begin, end]).toEqual([0, 5]);
      expect(records.every((each) => each.partition === partition)).toBe(true);
    });
  });
});

describe('a read to given ends', () => {
  it('gives records on demand as it gives them at once', async () => {
    const topic = topicName(uniqueName('demand'));
    await client.log.createTopic({ name: topic, partitions: 1, retention: null });
    await client.log.append([
      { ...record(topic, 0, 'ключ'), headers: { a: 'ä"\\', b: '' } },
      { ...record(topic, 0, 'tombstone'), value: null },
      { ...record(topic, 0, 'no key'), key: null, value: Buffer.alloc(0) },
    ]);
    const [batch] = await read({ from: position([topic, 0, 0]), to: position([topic, 0, 3]) });
    expect(batch?.onDemand?.length).toBe(3);
    expect(batch?.onDemand?.slice(0, 3)).toEqual(batch?.records);
    expect(batch?.onDemand?.slice(1, 2)).toEqual(batch?.records.slice(1, 2));
    expect(batch?.records.map(({ key, value, headers }) => [key, value?.byteLength ?? null, headers['a']])).toEqual([
      ['ключ', expect.any(Number), 'ä"\\'],
      ['tombstone', null, undefined],
      [null, 0, undefined],
    ]);
  });

  it('goes through partitions at the pace of their times, however unequal they are', async () => {
    const topic = topicName(uniqueName('pace'));
    await client.log.createTopic({ name: topic, partitions: 2, retention: null });
    await client.log.append([
      ...Array.from({ length: 30 }, (_, index) => record(topic, 0, `${index}`)),
      ...Array.from({ length: 10 }, (_, index) => record(topic, 1, `${index}`)),
    ]);
    // Partition 0 has three records in the time in which partition 1 has one.
    await client.database.query(
      `update log_records r set recorded_at = '2026-01-01T00:00:00Z'::timestamptz + r."offset" * case r.partition when 0 then interval '1 s' else interval '3 s' end
       from topics t where t.id = r.topic_id and t.name = $1`,
      [topic],
    );
    const batches = await read({
      from: position([topic, 0, 0], [topic, 1, 0]),
      to: position([topic, 0, 30], [topic, 1, 10]),
      maxBatchRecords: 1,
    });
    const times = batches.map(({ partition, next }) => (next - 1) * (partition === 0 ? 1 : 3));
    // One page is fetched ahead of the other.
    times.slice(2).forEach((time, index) => expect(Math.abs(time - (times[index + 1] ?? 0))).toBeLessThanOrEqual(6));
    expect(batches).toHaveLength(40);
  });

  it('keeps to the bytes of a page where records are suddenly larger than those before them', async () => {
    const topic = topicName(uniqueName('larger'));
    await client.log.createTopic({ name: topic, partitions: 1, retention: null });
    const sizes = [...Array<number>(40).fill(10), ...Array<number>(40).fill(2_000), ...Array<number>(20).fill(40_000), 10, 10];
    await client.log.append(
      sizes.map((size, index) => ({ ...record(topic, 0, `${index}`), value: Buffer.alloc(size, index) })),
    );
    const maxBatchBytes = 8_000;
    const batches = await read({
      from: position([topic, 0, 0]),
      to: position([topic, 0, sizes.length]),
      maxBatchRecords: 20,
      maxBatchBytes,
    });
    const records = batches.flatMap((batch) => batch.records);
    expect(records.map(({ offset, value }) => [offset, value?.byteLength, value?.[0] ?? 0])).toEqual(
      sizes.map((size, index) => [index, size, index]),
    );
    for (const batch of batches) {
      const before = batch.records.slice(0, -1).reduce((sum, { value }) => sum + (value?.byteLength ?? 0), 0);
      expect(before).toBeLessThan(maxBatchBytes);
    }
    expect(batches.slice(0, 2).map((batch) => batch.records.length)).toEqual([20, 20]);
  });

  it('is not led to ask for too much by what others read elsewhere in the same topic', async () => {
    const topic = topicName(uniqueName('elsewhere'));
    await client.log.createTopic({ name: topic, partitions: 1, retention: null });
    const sizes = [...Array<number>(60).fill(2_000), ...Array<number>(60).fill(10)];
    await client.log.append(sizes.map((size, index) => ({ ...record(topic, 0, `${index}`), value: Buffer.alloc(size) })));
    const pids = async (): Promise<unknown[]> =>
      (
        await client.database.query(
          'select pid, backend_start from pg_stat_activity where datname = current_database() order by pid',
        )
      ).rows;
    const seen: number[] = [];
    let before: unknown[] | null = null;
    for await (const batch of client.log.read({
      from: position([topic, 0, 0]),
      to: position([topic, 0, 60]),
      maxBatchRecords: 20,
      maxBatchBytes: 8_000,
    })) {
      before ??= await pids();
      seen.push(...batch.records.map(({ offset }) => offset));
      await read({ from: position([topic, 0, 100]), to: position([topic, 0, 110]) });
    }
    expect(seen).toEqual(Array.from({ length: 60 }, (_, index) => index));
    // No connection was cut off for a page that was too large.
    expect(await pids()).toEqual(expect.arrayContaining(before ?? []));
  });
});
