import assert from 'node:assert/strict';
import { KappaError, UnknownOutcomeError } from '../../kernel/errors.js';
import { partitionKey } from '../../kernel/position.js';
import { recordBytes, type NewRecord } from '../../kernel/record.js';
import {
  at,
  code,
  endOf,
  newTopic,
  readAll,
  record,
  records,
  textOf,
  withLog,
  type LogFactory,
  type TestApi,
} from './log-under-test.js';

export function appendTests(factory: LogFactory, { describe, it }: TestApi): void {
  describe('append', () => {
    it(
      'keeps the order of each partition, within one append and over many',
      withLog(factory, async (log) => {
        const topic = await newTopic(log);
        await log.append([...records(topic, 0, 3, 'a'), ...records(topic, 1, 2, 'x')]);
        await log.append([record(topic, 1, 'y'), record(topic, 0, 'b'), record(topic, 1, 'z')]);
        assert.deepEqual((await readAll(log, topic, 0)).map(textOf), ['a0', 'a1', 'a2', 'b']);
        assert.deepEqual((await readAll(log, topic, 1)).map(textOf), ['x0', 'x1', 'y', 'z']);
      }),
    );

    it(
      'returns the position after the records, of the partitions it touched',
      withLog(factory, async (log) => {
        const topic = await newTopic(log);
        assert.deepEqual(await log.append([]), {});
        const first = await log.append(records(topic, 1, 3));
        assert.deepEqual(Object.keys(first), [partitionKey(topic, 1)]);
        const last = at((await readAll(log, topic, 1)).at(-1));
        assert.equal(first[partitionKey(topic, 1)], last.offset + 1);
        assert.ok((await endOf(log, topic, 1)) >= last.offset + 1);
        assert.equal(await endOf(log, topic, 0), 0);
      }),
    );

    it(
      'keeps keys, values and headers as they were given',
      withLog(factory, async (log) => {
        const topic = await newTopic(log, 1);
        const given: NewRecord[] = [
          {
            topic,
            partition: 0,
            key: 'Zürich 🚲 "quoted" {a,b} \\',
            value: Buffer.from([0, 1, 127, 128, 255]),
            headers: { ce_type: 'fine.created', empty: '', 'ü "x"': "\\ ' \n {} 🚲" },
          },
          { topic, partition: 0, key: null, value: null, headers: {} },
          { topic, partition: 0, key: '', value: new Uint8Array(0), headers: { a: 'null' } },
        ];
        await log.append(given);
        const kept = await readAll(log, topic);
        assert.deepEqual(
          kept.map(({ key, value, headers }) => ({ key, value: value && [...value], headers: { ...headers } })),
          given.map(({ key, value, headers }) => ({ key, value: value && [...value], headers })),
        );
        for (const { topic: of, partition } of kept) assert.deepEqual([of, partition], [topic, 0]);
      }),
    );

    it(
      'stamps records with the time of the append, never going backwards within a partition',
      withLog(factory, async (log, under) => {
        const topic = await newTopic(log, 1);
        const other = await under.open();
        const before = Date.now() - 5_000;
        for (let round = 0; round < 5; round++)
          await Promise.all([log.append(records(topic, 0, 2)), other.append(records(topic, 0, 2))]);
        const times = (await readAll(log, topic)).map(({ timestampUs }) => timestampUs);
        assert.deepEqual(
          times,
          times.toSorted((a, b) => a - b),
        );
        assert.ok(at(times[0]) / 1000 > before && at(times.at(-1)) / 1000 < Date.now() + 5_000);
      }),
    );

    it(
      'writes nothing at all when one record is too large',
      withLog(factory, async (log) => {
        const topic = await newTopic(log);
        const large = { ...record(topic, 1, 'large'), value: Buffer.alloc(log.limits.maxRecordBytes + 1) };
        await assert.rejects(log.append([record(topic, 0, 'small'), large]), (error) => {
          assert.ok(error instanceof KappaError && error.nextStep !== null);
          return code('KAPPA_RECORD_TOO_LARGE')(error);
        });
        for (const { begin, end } of await log.offsets(topic)) assert.equal(begin, end);
      }),
    );

    it(
      'takes a record that is exactly as large as the limit',
      withLog(factory, async (log) => {
        const topic = await newTopic(log, 1);
        const empty = { ...record(topic, 0, 'full'), value: Buffer.alloc(0) };
        await log.append([{ ...empty, value: Buffer.alloc(log.limits.maxRecordBytes - recordBytes(empty), 7) }]);
        assert.equal(recordBytes(at((await readAll(log, topic))[0])), log.limits.maxRecordBytes);
      }),
    );

    it(
      'refuses a partition that the topic does not have, and text that cannot be kept',
      withLog(factory, async (log) => {
        const topic = await newTopic(log, 2);
        for (const partition of [2, -1, 0.5])
          await assert.rejects(
            log.append([record(topic, 0, 'good'), record(topic, partition, 'bad')]),
            code('KAPPA_UNKNOWN_PARTITION'),
          );
        for (const key of ['nul\0', 'lone \ud800'])
          await assert.rejects(
            log.append([record(topic, 0, 'good'), { ...record(topic, 1, 'bad'), key }]),
            code('KAPPA_BAD_RECORD'),
          );
        await assert.rejects(
          log.append([{ ...record(topic, 1, 'bad'), headers: { ce_type: 'nul\0' } }]),
          code('KAPPA_BAD_RECORD'),
        );
        assert.equal(await endOf(log, topic, 0), 0);
      }),
    );

    it(
      'by several clients at once loses none and keeps the order of each',
      withLog(factory, async (log, under) => {
        const topic = await newTopic(log);
        const clients = [log, await under.open(), await under.open()];
        const rounds = 20;
        await Promise.all(
          clients.map(async (client, writer) => {
            // Partitions in another order for each: whoever locks as it was told meets a deadlock here.
            const partitions = writer % 2 === 0 ? [0, 1] : [1, 0];
            for (let round = 0; round < rounds; round++)
              await client.append(partitions.map((partition) => record(topic, partition, `${writer}:${round}`)));
          }),
        );
        for (const partition of [0, 1]) {
          const kept = await readAll(log, topic, partition);
          assert.equal(kept.length, clients.length * rounds);
          for (const [writer] of clients.entries()) {
            const own = kept.map(textOf).filter((text) => text.startsWith(`${writer}:`));
            assert.deepEqual(
              own,
              Array.from({ length: rounds }, (_, round) => `${writer}:${round}`),
            );
          }
          const offsets = kept.map(({ offset }) => offset);
          assert.ok(offsets.every((offset, index) => index === 0 || offset > at(offsets[index - 1])));
        }
      }),
    );

    it(
      'whose answer is lost has the outcome it had, or an unknown one, but not a failed one',
      withLog(factory, async (log, under) => {
        if (!under.loseNextAnswer) return;
        const topic = await newTopic(log, 1);
        await log.append([record(topic, 0, 'before')]);
        await under.loseNextAnswer(log);
        // It did happen here: who does it again without looking does it twice.
        const failure = await log.append([record(topic, 0, 'perhaps')]).then(
          () => null,
          (error: unknown) => error,
        );
        assert.ok(failure === null || failure instanceof UnknownOutcomeError, String(failure));
        assert.deepEqual((await readAll(await under.open(), topic)).map(textOf), ['before', 'perhaps']);
        await log.append([record(topic, 0, 'after')]);
        assert.deepEqual((await readAll(log, topic)).map(textOf), ['before', 'perhaps', 'after']);
      }),
    );
  });
}
