import assert from 'node:assert/strict';
import { Kafka, logLevel } from 'kafkajs';
import { afterEach, describe, expect, it } from 'vitest';
import { LogTruncatedError } from '../../../src/kernel/errors.js';
import { topicName, type TopicName } from '../../../src/kernel/names.js';
import { partitionKey } from '../../../src/kernel/position.js';
import { LOG_OFFSET_HEADER, type LogRecord, type NewRecord } from '../../../src/kernel/record.js';
import type { EventLog } from '../../../src/log/event-log.js';
import { logConformance } from '../../../src/testing/log-conformance.js';
import { code, newTopic, readAll, record, textOf, uniqueName } from '../../../src/testing/log-conformance/log-under-test.js';
import { describeOnKafka } from '../../support/kafka.js';
import { deleteRecords, KafkaClients } from './kafka-clients.js';
import { Outbox, RelayingLog } from './relaying-log.js';
import { END_TRANSACTION, PRODUCE } from './wire-tap.js';

await describeOnKafka('a relayed topic', 1, (brokers) => {
  logConformance(
    'kafka, topics relayed',
    async () => {
      const outbox = new Outbox();
      const clients = new KafkaClients(brokers, { relayed: async () => true });
      const inner = (log: EventLog) => clients.of((log as RelayingLog).inner);
      return {
        open: async () => new RelayingLog((await clients.open()).log, outbox),
        close: () => clients.close(),
        reportsDifferences: true,
        crash: async (log) => inner(log).wire.cut(),
        loseNextAnswer: async (log) => void inner(log).wire.loseAnswerTo(PRODUCE, END_TRANSACTION),
      };
    },
    { describe, it },
  );

  describe('is read by log offsets', () => {
    const clients = new KafkaClients(brokers, { relayed: async () => true });
    afterEach(() => clients.close());

    /** Transactions of `size` records whose log offsets rise by `step`. */
    async function relayed(log: EventLog, transactions: number, size: number, step = 1): Promise<TopicName> {
      const topic = await newTopic(log, 1);
      const session = await log.openSession(uniqueName('relay'));
      let offset = 0;
      for (let index = 0; index < transactions; index++) {
        const transaction = session.begin();
        transaction.append(Array.from({ length: size }, () => stamped(topic, (offset += step) - step)));
        assert.equal((await transaction.commit()).outcome, 'committed');
      }
      await session.close();
      return topic;
    }

    it('from any of them, across markers and holes', async () => {
      const { log } = await clients.open();
      const topic = await relayed(log, 30, 2, 3);
      expect(await log.offsets(topic)).toEqual([{ partition: 0, begin: 0, end: 178 }]);
      for (const from of [0, 1, 3, 4, 88, 90, 174, 175, 177]) {
        const offsets = await readOffsets(log, topic, from, 178);
        const wanted = Array.from({ length: 60 }, (_, index) => index * 3).filter((offset) => offset >= from);
        expect(offsets, `from ${from}`).toEqual(wanted);
      }
    });

    it('up to any of them', async () => {
      const { log } = await clients.open();
      const topic = await relayed(log, 10, 3);
      expect(await readOffsets(log, topic, 5, 12)).toEqual([5, 6, 7, 8, 9, 10, 11]);
      expect(await readOffsets(log, topic, 30, 30)).toEqual([]);
      await expect(readOffsets(log, topic, 31, 32)).rejects.toSatisfy(code('KAPPA_POSITION_BEYOND_END'));
    });

    it('with ends that count committed records alone', async () => {
      const { log } = await clients.open();
      const topic = await relayed(log, 2, 1);
      const session = await log.openSession(uniqueName('relay'));
      // The second record has no row's offset: the transaction fails as a whole, after its first batch was thought of.
      const transaction = session.begin();
      transaction.append([stamped(topic, 2), record(topic, 0, 'foreign')]);
      const result = await transaction.commit();
      assert.ok(result.outcome === 'aborted' && code('KAPPA_FOREIGN_RECORD')(result.cause));
      expect(await log.offsets(topic)).toEqual([{ partition: 0, begin: 0, end: 2 }]);
    });

    it('and follows it from its end on', async () => {
      const { log } = await clients.open();
      const topic = await relayed(log, 3, 2);
      const stop = new AbortController();
      const seen: number[] = [];
      for await (const { records } of log.read({ from: { [partitionKey(topic, 0)]: 4 }, signal: stop.signal })) {
        seen.push(...records.map(({ offset }) => offset));
        if (seen.includes(20)) stop.abort();
        else await log.append([stamped(topic, seen.length === 2 ? 10 : 20)]);
      }
      expect(seen).toEqual([4, 5, 10, 20]);
    });

    it('and begins, once its begin is gone, at what its first record says', async () => {
      const { log } = await clients.open();
      const topic = await relayed(log, 6, 2);
      // Six records and three markers: Kafka's offset 9 is the fourth transaction's first record.
      await deleteRecords(brokers, topic, 0, 9);
      expect(await log.offsets(topic)).toEqual([{ partition: 0, begin: 6, end: 12 }]);
      await expect(readOffsets(log, topic, 5, 12)).rejects.toSatisfy(
        (error) => error instanceof LogTruncatedError && error.facts['begin'] === 6,
      );
      expect(await readOffsets(log, topic, 6, 12)).toEqual([6, 7, 8, 9, 10, 11]);
    });

    it('and says so when all of it was removed', async () => {
      const { log } = await clients.open();
      const topic = await relayed(log, 2, 2);
      await deleteRecords(brokers, topic, 0, 6);
      await expect(log.offsets(topic)).rejects.toSatisfy(code('KAPPA_RELAYED_TOPIC_EMPTIED'));
    });

    it('and refuses a record that the relay did not write, to whoever writes or reads it', async () => {
      const { log } = await clients.open();
      const topic = await relayed(log, 1, 1);
      await expect(log.append([record(topic, 0, 'foreign')])).rejects.toSatisfy(code('KAPPA_FOREIGN_RECORD'));
      const producer = new Kafka({ brokers: [...brokers], logLevel: logLevel.NOTHING }).producer();
      await producer.connect();
      await producer.send({ topic, messages: [{ partition: 0, key: 'foreign', value: 'of another' }] });
      await producer.disconnect();
      const follow = (async () => {
        for await (const batch of log.read({ from: { [partitionKey(topic, 0)]: 0 } })) expect(batch.records).toHaveLength(1);
      })();
      await expect(follow).rejects.toSatisfy(code('KAPPA_FOREIGN_RECORD'));
    });

    it('and refuses what was copied twice', async () => {
      const { log } = await clients.open();
      const topic = await relayed(log, 1, 3);
      await log.append([stamped(topic, 2)]);
      const follow = (async () => {
        for await (const batch of log.read({ from: { [partitionKey(topic, 0)]: 0 } })) expect(batch.next).toBeLessThan(4);
      })();
      await expect(follow).rejects.toSatisfy(code('KAPPA_FOREIGN_RECORD'));
    });

    it('while other topics keep the offsets of Kafka', async () => {
      const own = topicName(uniqueName('t'));
      const { log } = await clients.open({}, { relayed: async (topic) => topic !== own });
      await log.createTopic({ name: own, partitions: 1, retention: null });
      const session = await log.openSession(uniqueName('task'));
      for (const text of ['a', 'b']) {
        const transaction = session.begin();
        transaction.append([record(own, 0, text)]);
        assert.equal((await transaction.commit()).outcome, 'committed');
      }
      const kept = await readAll(log, own);
      expect(kept.map(textOf)).toEqual(['a', 'b']);
      expect(kept.map(({ offset }) => offset)).toEqual([0, 2]);
    });
  });
});

function stamped(topic: TopicName, offset: number): NewRecord {
  const plain = record(topic, 0, `row ${offset}`);
  return { ...plain, headers: { ...plain.headers, [LOG_OFFSET_HEADER]: String(offset) } };
}

async function readOffsets(log: EventLog, topic: TopicName, from: number, to: number): Promise<number[]> {
  const key = partitionKey(topic, 0);
  const records: LogRecord[] = [];
  for await (const batch of log.read({ from: { [key]: from }, to: { [key]: to } })) records.push(...batch.records);
  for (const each of records) assert.equal(textOf(each), `row ${each.offset}`);
  return records.map(({ offset }) => offset);
}
