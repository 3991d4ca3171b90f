import assert from 'node:assert/strict';
import { LogTruncatedError } from '../../kernel/errors.js';
import type { TopicName } from '../../kernel/names.js';
import { partitionKey } from '../../kernel/position.js';
import type { EventLog, LogBatch } from '../../log/event-log.js';
import {
  at,
  beginOf,
  endOf,
  joinRecording,
  newTopic,
  pollUntil,
  position,
  readAll,
  record,
  textOf,
  uniqueName,
  withLog,
  type LogFactory,
  type LogUnderTest,
  type TestApi,
} from './log-under-test.js';

export function retentionTests(factory: LogFactory, { describe, it }: TestApi): void {
  const retaining = (body: (log: EventLog, trim: () => Promise<void>, under: LogUnderTest) => Promise<void>) =>
    withLog(factory, async (log, under) => {
      const { enforceRetention } = under;
      if (enforceRetention) await body(log, () => enforceRetention.call(under, log), under);
    });

  describe('retention', () => {
    it(
      'by size removes the oldest and keeps the newest, whose offsets stay',
      retaining(async (log, trim) => {
        const topic = await newTopic(log, 1, { bytes: 40_000 });
        await appendLarge(log, topic, 20);
        const before = await readAll(log, topic);
        await trim();
        const after = await readAll(log, topic);
        assert.ok(after.length < 20 && after.length > 0);
        assert.deepEqual(after.map(placeOf), before.slice(-after.length).map(placeOf));
        assert.equal(await beginOf(log, topic), at(after[0]).offset);
      }),
    );

    it(
      'counts what is appended afterwards',
      retaining(async (log, trim) => {
        const topic = await newTopic(log, 1, { bytes: 40_000 });
        const sizes: number[] = [];
        for (let round = 0; round < 4; round++) {
          await appendLarge(log, topic, 10);
          await trim();
          sizes.push((await readAll(log, topic)).length);
        }
        assert.ok(
          sizes.every((size) => size > 0 && size < 20),
          `${sizes.join()} records of 10,000 bytes were kept`,
        );
      }),
    );

    it(
      'by time may empty a partition, and offsets go on where they were',
      retaining(async (log, trim, { reportsDifferences }) => {
        const topic = await newTopic(log, 2, { ms: 1 });
        await log.append([record(topic, 0, 'old')]);
        const end = await endOf(log, topic);
        await passMillisecond();
        await trim();
        assert.deepEqual(await log.offsets(topic), [
          { partition: 0, begin: end, end },
          { partition: 1, begin: 0, end: 0 },
        ]);
        // Where its retention stays, what is appended from here on may be removed at any moment.
        if (reportsDifferences) return;
        await log.createTopic({ name: topic, partitions: 2, retention: null });
        await log.append([record(topic, 0, 'new')]);
        const kept = await readAll(log, topic);
        assert.deepEqual(kept.map(textOf), ['new']);
        assert.ok(at(kept[0]).offset >= end);
      }),
    );

    it(
      'leaves topics alone that are kept for ever',
      retaining(async (log, trim) => {
        const topic = await newTopic(log, 1);
        await appendLarge(log, topic, 5);
        await passMillisecond();
        await trim();
        assert.equal((await readAll(log, topic)).length, 5);
      }),
    );

    it(
      'makes a read from before the begin an error that names both',
      retaining(async (log, trim) => {
        const topic = await newTopic(log, 1, { bytes: 30_000 });
        await appendLarge(log, topic, 10);
        await trim();
        const [begin, end] = [await beginOf(log, topic), await endOf(log, topic)];
        const read = async (from: number) => {
          const batches: LogBatch[] = [];
          for await (const batch of log.read({ from: position([topic, 0, from]), to: position([topic, 0, end]) }))
            batches.push(batch);
          return batches;
        };
        await assert.rejects(
          read(begin - 1),
          (error) =>
            error instanceof LogTruncatedError && error.facts['begin'] === begin && error.facts['wanted'] === begin - 1,
        );
        assert.equal(at((await read(begin)).at(-1)).next, end);
      }),
    );

    it(
      'makes the poll of a member that stands before the begin an error, until it seeks',
      retaining(async (log, trim) => {
        const topic = await newTopic(log, 1, { bytes: 30_000 });
        await appendLarge(log, topic, 10);
        await trim();
        const begin = await beginOf(log, topic);
        const { member } = await joinRecording(log, uniqueName('g'), [topic], { [partitionKey(topic, 0)]: begin - 1 });
        await assert.rejects(
          pollUntil([member], () => false),
          (error) => error instanceof LogTruncatedError,
        );
        member.seek(topic, 0, begin);
        let seen = 0;
        await pollUntil(
          [member],
          () => seen > 0,
          (batch) => (seen += batch.records.length),
        );
      }),
    );

    it(
      'keeps the begin where a member starts that has nothing committed',
      retaining(async (log, trim) => {
        const topic = await newTopic(log, 1, { bytes: 30_000 });
        await appendLarge(log, topic, 10);
        await trim();
        const kept = await readAll(log, topic);
        const { member } = await joinRecording(log, uniqueName('g'), [topic]);
        const seen: number[] = [];
        await pollUntil(
          [member],
          () => seen.length === kept.length,
          (batch) => seen.push(...batch.records.map(({ offset }) => offset)),
        );
        assert.deepEqual(
          seen,
          kept.map(({ offset }) => offset),
        );
      }),
    );
  });
}

/** Records of about 10,000 bytes, each in an append of its own: a driver may remove no less than what was appended together. */
async function appendLarge(log: EventLog, topic: TopicName, count: number): Promise<void> {
  for (let index = 0; index < count; index++)
    await log.append([{ ...record(topic, 0, `k${index}`), value: Buffer.alloc(9_900, index) }]);
}

function placeOf({ offset, key }: { readonly offset: number; readonly key: string | null }): string {
  return `${offset} ${key}`;
}

/** Until the clock shows another time than now, twice: what is older than a millisecond is so then. */
async function passMillisecond(): Promise<void> {
  const start = Date.now();
  while (Date.now() < start + 3) await new Promise((resolve) => setImmediate(resolve));
}
