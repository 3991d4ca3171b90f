import assert from 'node:assert/strict';
import { NOWHERE, partitionKey } from '../../kernel/position.js';
import type { LogBatch, ReadOptions } from '../../log/event-log.js';
import type { EventLog } from '../../log/event-log.js';
import {
  at,
  beginOf,
  code,
  endOf,
  newTopic,
  position,
  readAll,
  record,
  records,
  textsOf,
  textOf,
  withLog,
  type LogFactory,
  type TestApi,
} from './log-under-test.js';

export function readTests(factory: LogFactory, { describe, it }: TestApi): void {
  describe('read', () => {
    it(
      'gives a range and ends, each batch with where to go on',
      withLog(factory, async (log) => {
        const topic = await newTopic(log, 1);
        await log.append(records(topic, 0, 10));
        const all = await readAll(log, topic);
        const [from, to] = [at(all[2]).offset, at(all[7]).offset];
        const batches = await collect(log, {
          from: position([topic, 0, from]),
          to: position([topic, 0, to]),
          maxBatchRecords: 2,
        });
        assert.deepEqual(textsOf(batches), ['r2', 'r3', 'r4', 'r5', 'r6']);
        assertWalks(batches, from, to);
      }),
    );

    it(
      'gives nothing of an empty range and ends',
      withLog(factory, async (log) => {
        const topic = await newTopic(log, 1);
        await log.append(records(topic, 0, 3));
        const end = await endOf(log, topic);
        assert.deepEqual(await collect(log, { from: position([topic, 0, end]), to: position([topic, 0, end]) }), []);
        assert.deepEqual(await collect(log, { from: NOWHERE, to: NOWHERE }), []);
      }),
    );

    it(
      'gives the same where each batch is released before the next is asked for',
      withLog(factory, async (log) => {
        const topic = await newTopic(log, 1);
        await log.append(
          Array.from({ length: 30 }, (_, index) => ({ ...record(topic, 0, `k${index}`), value: Buffer.alloc(9_000, index) })),
        );
        const [begin, end] = [await beginOf(log, topic), await endOf(log, topic)];
        const range = { from: position([topic, 0, begin]), to: position([topic, 0, end]), maxBatchRecords: 3 };
        const seen: string[] = [];
        for await (const batch of log.read(range)) {
          for (const { key, value, headers } of batch.records)
            seen.push(`${key} ${value?.[0]} ${value?.at(-1)} ${JSON.stringify(headers)}`);
          batch.release?.();
        }
        const expected = (await collect(log, range)).flatMap(({ records: all }) => all);
        assert.deepEqual(
          seen,
          expected.map(({ key, headers }, index) => `${key} ${index} ${index} ${JSON.stringify(headers)}`),
        );
      }),
    );

    it(
      'keeps batches within the wished number of records and bytes',
      withLog(factory, async (log) => {
        const topic = await newTopic(log, 1);
        await log.append(
          Array.from({ length: 12 }, (_, index) => ({ ...record(topic, 0, `k${index}`), value: Buffer.alloc(10_000, index) })),
        );
        const [begin, end] = [await beginOf(log, topic), await endOf(log, topic)];
        const range = { from: position([topic, 0, begin]), to: position([topic, 0, end]) };
        const few = await collect(log, { ...range, maxBatchRecords: 5 });
        assert.ok(few.every((batch) => batch.records.length <= 5));
        const small = await collect(log, { ...range, maxBatchBytes: 25_000 });
        // A batch may go beyond by the record that fills it.
        assert.ok(small.every((batch) => batch.records.length <= 3));
        for (const batches of [few, small]) {
          assert.equal(batches.flatMap((batch) => batch.records).length, 12);
          assertWalks(batches, begin, end);
        }
      }),
    );

    it(
      'gives a record that is larger than a batch should be',
      withLog(factory, async (log) => {
        const topic = await newTopic(log, 1);
        await log.append(['a', 'b', 'c'].map((text) => ({ ...record(topic, 0, text), value: Buffer.alloc(200_000) })));
        const batches = await collect(log, {
          from: position([topic, 0, await beginOf(log, topic)]),
          to: position([topic, 0, await endOf(log, topic)]),
          maxBatchBytes: 1,
        });
        assert.deepEqual(
          batches.flatMap((batch) => batch.records.map(({ key }) => key)),
          ['a', 'b', 'c'],
        );
      }),
    );

    it(
      'reads several partitions and topics at once, each in its order',
      withLog(factory, async (log) => {
        const [one, two] = [await newTopic(log, 2), await newTopic(log, 1)];
        await log.append([...records(one, 0, 20, 'a'), ...records(one, 1, 20, 'b'), ...records(two, 0, 20, 'c')]);
        const places = [
          [one, 0],
          [one, 1],
          [two, 0],
        ] as const;
        const ends = await Promise.all(
          places.map(async ([topic, partition]) => [topic, partition, await endOf(log, topic, partition)] as const),
        );
        const batches = await collect(log, {
          from: position([one, 0, 0], [one, 1, 0], [two, 0, 0]),
          to: position(...ends),
          maxBatchRecords: 7,
        });
        for (const [index, [topic, partition]] of places.entries()) {
          const own = batches.filter((batch) => batch.topic === topic && batch.partition === partition);
          assert.deepEqual(
            textsOf(own),
            Array.from({ length: 20 }, (_, number) => `${'abc'[index]}${number}`),
          );
        }
      }),
    );

    it(
      'follows what is appended later, also by others, until it is aborted',
      withLog(factory, async (log, under) => {
        const topic = await newTopic(log);
        await log.append([record(topic, 0, 'there')]);
        const other = await under.open();
        const stop = new AbortController();
        const seen: string[] = [];
        // Each record is appended when the one before was seen: nothing but a wake-up brings the next.
        for await (const batch of log.read({ from: position([topic, 0, 0], [topic, 1, 0]), signal: stop.signal })) {
          seen.push(...textsOf([batch]));
          if (seen.length === 1) await log.append([record(topic, 1, 'own')]);
          else if (seen.length === 2) await other.append([record(topic, 0, 'of another')]);
          else stop.abort();
        }
        assert.deepEqual(seen, ['there', 'own', 'of another']);
      }),
    );

    it(
      'that follows ends when it is aborted while nothing comes',
      withLog(factory, async (log) => {
        const topic = await newTopic(log, 1);
        const stop = new AbortController();
        const read = collect(log, { from: position([topic, 0, 0]), signal: stop.signal });
        setImmediate(() => stop.abort());
        assert.deepEqual(await read, []);
      }),
    );

    it(
      'passes no record by while several clients append',
      withLog(factory, async (log, under) => {
        const topic = await newTopic(log, 1);
        const writers = [await under.open(), await under.open(), await under.open()];
        const rounds = 40;
        const stop = new AbortController();
        const seen: number[] = [];
        const following = (async () => {
          for await (const batch of log.read({ from: position([topic, 0, 0]), signal: stop.signal })) {
            seen.push(...batch.records.map(({ offset }) => offset));
            if (seen.length >= writers.length * rounds) stop.abort();
          }
        })();
        await Promise.all(
          writers.map(async (client, writer) => {
            for (let round = 0; round < rounds; round++) await client.append([record(topic, 0, `${writer}:${round}`)]);
          }),
        );
        await following;
        assert.deepEqual(
          seen,
          (await readAll(log, topic)).map(({ offset }) => offset),
        );
      }),
    );

    it(
      'tells the end of the partition with each batch',
      withLog(factory, async (log) => {
        const topic = await newTopic(log, 1);
        await log.append(records(topic, 0, 6));
        const end = await endOf(log, topic);
        for (const batch of await collect(log, {
          from: position([topic, 0, 0]),
          to: position([topic, 0, end]),
          maxBatchRecords: 2,
        }))
          assert.equal(batch.end, end);
      }),
    );

    it(
      'refuses a topic that does not exist',
      withLog(factory, async (log) => {
        await newTopic(log, 1);
        await assert.rejects(
          collect(log, { from: { 'no-such-topic/0': 0 }, to: { 'no-such-topic/0': 1 } }),
          code('KAPPA_UNKNOWN_TOPIC'),
        );
      }),
    );

    it(
      'refuses a position beyond the end, which belongs to another log',
      withLog(factory, async (log) => {
        const topic = await newTopic(log, 1);
        await log.append(records(topic, 0, 2));
        const beyond = (await endOf(log, topic)) + 1_000;
        await assert.rejects(
          collect(log, { from: position([topic, 0, beyond]), to: position([topic, 0, beyond + 1]) }),
          code('KAPPA_POSITION_BEYOND_END'),
        );
      }),
    );

    it(
      'finds offsets by time',
      withLog(factory, async (log) => {
        const topic = await newTopic(log, 2);
        for (let round = 0; round < 5; round++) await log.append([record(topic, 0, `${round}`)]);
        const all = await readAll(log, topic);
        const ends = [await endOf(log, topic, 0), await endOf(log, topic, 1)];
        assert.deepEqual(await log.offsetsAt(topic, 0), [at(all[0]).offset, ends[1]]);
        const [late] = await log.offsetsAt(topic, Date.now() + 3_600_000);
        assert.ok(at(late) > at(all.at(-1)).offset);
        for (const wanted of all) {
          const ms = Math.floor(wanted.timestampUs / 1000);
          const first = at(all.find(({ timestampUs }) => timestampUs >= ms * 1000));
          assert.equal((await log.offsetsAt(topic, ms))[0], first.offset, `at the time of ${textOf(wanted)}`);
        }
      }),
    );

    it(
      'may be left at any batch',
      withLog(factory, async (log) => {
        const topic = await newTopic(log, 1);
        await log.append(records(topic, 0, 9));
        for await (const batch of log.read({ from: position([topic, 0, 0]), maxBatchRecords: 3 })) {
          assert.equal(batch.records.length, 3);
          break;
        }
        assert.equal((await readAll(log, topic)).length, 9);
        assert.ok(partitionKey(topic, 0) in (await log.append([record(topic, 0, 'more')])));
      }),
    );
  });
}

async function collect(log: EventLog, options: ReadOptions): Promise<LogBatch[]> {
  const batches: LogBatch[] = [];
  for await (const batch of log.read(options)) batches.push(batch);
  return batches;
}

/** Batches of one partition follow one another without a gap, from the start of the range to its end. */
function assertWalks(batches: readonly LogBatch[], from: number, to: number): void {
  let next = from;
  for (const batch of batches) {
    assert.ok(batch.next > next, 'a batch moves the position');
    for (const { offset } of batch.records) assert.ok(offset >= next && offset < batch.next);
    next = batch.next;
  }
  assert.equal(next, to);
}
