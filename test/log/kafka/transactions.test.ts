import assert from 'node:assert/strict';
import { Kafka, logLevel } from 'kafkajs';
import { afterEach, expect, it } from 'vitest';
import { FencedError, RetriableError } from '../../../src/kernel/errors.js';
import type { TopicName } from '../../../src/kernel/names.js';
import { partitionKey } from '../../../src/kernel/position.js';
import { recordBytes } from '../../../src/kernel/record.js';
import type { CommitOutcome, EventLog, LogSession } from '../../../src/log/event-log.js';
import {
  at,
  code,
  endOf,
  newTopic,
  position,
  readAll,
  record,
  records,
  textOf,
  uniqueName,
} from '../../../src/testing/log-conformance/log-under-test.js';
import { describeOnKafka } from '../../support/kafka.js';
import { KafkaClients } from './kafka-clients.js';
import { END_TRANSACTION, PRODUCE } from './wire-tap.js';

await describeOnKafka('transactions of Kafka', 1, (brokers) => {
  const clients = new KafkaClients(brokers);
  afterEach(() => clients.close());

  const commit = (session: LogSession, topic: TopicName, texts: readonly string[]): Promise<CommitOutcome> => {
    const transaction = session.begin();
    transaction.append(texts.map((text) => record(topic, 0, text)));
    return transaction.commit();
  };
  const texts = async (log: EventLog, topic: TopicName) => (await readAll(log, topic)).map(textOf);

  it('keep what follows one that is open from its readers, until it ends', async () => {
    const [writer, other, reader] = [await clients.open(), await clients.open(), await clients.open()];
    const topic = await newTopic(writer.log, 1);
    const session = await writer.log.openSession(uniqueName('task'));
    const end = writer.wire.hold(END_TRANSACTION);
    const committing = commit(session, topic, ['of the transaction']);
    await end.met;
    await other.log.append([record(topic, 0, 'after it')]);
    const seen: string[] = [];
    const reading = (async () => {
      const to = { [partitionKey(topic, 0)]: await endOf(reader.log, topic) };
      for await (const batch of reader.log.read({ from: { [partitionKey(topic, 0)]: 0 }, to }))
        seen.push(...batch.records.map(textOf));
    })();
    // A reader of another partition comes to its end meanwhile: this one has had its chance.
    await texts(reader.log, await filled(reader.log));
    expect(seen).toEqual([]);
    end.release();
    expect((await committing).outcome).toBe('committed');
    await reading;
    expect(seen).toEqual(['of the transaction', 'after it']);
  });

  it('that do not end are named to a reader that waits behind them for too long', async () => {
    const [writer, reader] = [await clients.open(), await clients.open({ stallTimeoutMs: 300 })];
    const topic = await newTopic(writer.log, 1);
    const session = await writer.log.openSession(uniqueName('task'));
    const end = writer.wire.hold(END_TRANSACTION);
    const committing = commit(session, topic, ['held']);
    await end.met;
    await expect(texts(reader.log, topic)).rejects.toSatisfy((error) => {
      assert.ok(code('KAPPA_LOG_STALLED')(error));
      assert.match(String(error), /transaction that began at Kafka's offset 0/);
      return true;
    });
    end.release();
    await committing;
  });

  it('that were aborted leave nothing to read, and a reader passes them up to the end', async () => {
    const { log } = await clients.open();
    const topic = await newTopic(log, 1);
    const producer = new Kafka({ brokers: [...brokers], logLevel: logLevel.NOTHING }).producer({
      transactionalId: uniqueName('foreign'),
      maxInFlightRequests: 1,
      idempotent: true,
    });
    await producer.connect();
    for (const [index, outcome] of (['abort', 'commit', 'abort', 'abort'] as const).entries()) {
      const transaction = await producer.transaction();
      await transaction.send({
        topic,
        messages: [0, 1].map((part) => ({ partition: 0, value: `${outcome} ${index}.${part}` })),
      });
      await (outcome === 'abort' ? transaction.abort() : transaction.commit());
    }
    await producer.disconnect();
    // Eight records and four markers, the last of which is written a moment after the abort was answered.
    while ((await endOf(log, topic)) < 12) await new Promise((resolve) => setImmediate(resolve));
    await log.append([record(topic, 0, 'plain')]);
    expect(await endOf(log, topic)).toBe(13);
    expect(await texts(log, topic)).toEqual(['commit 1.0', 'commit 1.1', 'plain']);
    expect((await readAll(log, topic)).map(({ offset }) => offset)).toEqual([3, 4, 12]);
  });

  it('written once when the answer to a batch is lost', async () => {
    const { log, wire } = await clients.open();
    const topic = await newTopic(log, 1);
    const session = await log.openSession(uniqueName('task'));
    const lost = wire.loseAnswerTo(PRODUCE);
    expect((await commit(session, topic, ['a', 'b'])).outcome).toBe('committed');
    await lost;
    expect((await commit(session, topic, ['c'])).outcome).toBe('committed');
    expect(await texts(log, topic)).toEqual(['a', 'b', 'c']);
  });

  it('committed once when the answer to their end is lost', async () => {
    const { log, wire } = await clients.open();
    const topic = await newTopic(log, 1);
    const session = await log.openSession(uniqueName('task'));
    const lost = wire.loseAnswerTo(END_TRANSACTION);
    expect((await commit(session, topic, ['a'])).outcome).toBe('committed');
    await lost;
    expect((await commit(session, topic, ['b'])).outcome).toBe('committed');
    expect(await texts(log, topic)).toEqual(['a', 'b']);
  });

  it('have an unknown outcome when the brokers are gone at their end, which opening the task settles', async () => {
    const { log, wire } = await clients.open({ retryMs: 200 });
    const [input, topic] = [await newTopic(log, 1), await newTopic(log, 1)];
    const [task, group] = [uniqueName('task'), uniqueName('g')];
    const session = await log.openSession(task);
    void wire.loseAnswerTo(END_TRANSACTION).then(() => wire.cut());
    const transaction = session.begin();
    transaction.append([record(topic, 0, 'perhaps')]);
    transaction.commitOffsets(group, position([input, 0, 1]));
    expect((await transaction.commit()).outcome).toBe('unknown');
    wire.heal();
    const misused = await commit(session, topic, ['never']);
    assert.ok(misused.outcome === 'aborted' && code('KAPPA_SESSION_MISUSED')(misused.cause));
    const again = await log.openSession(task);
    expect(await log.committed(group)).toEqual({ [partitionKey(input, 0)]: 1 });
    expect((await commit(again, topic, ['after'])).outcome).toBe('committed');
    expect(await texts(log, topic)).toEqual(['perhaps', 'after']);
  });

  it('aborted when the brokers are gone before their end, and the session goes on when they are back', async () => {
    const { log, wire } = await clients.open({ retryMs: 200 });
    const topic = await newTopic(log, 1);
    const session = await log.openSession(uniqueName('task'));
    expect((await commit(session, topic, ['before'])).outcome).toBe('committed');
    const batch = wire.hold(PRODUCE);
    const failing = commit(session, topic, ['never']);
    await batch.met;
    wire.cut();
    const failed = await failing;
    assert.ok(failed.outcome === 'aborted' && failed.cause instanceof RetriableError);
    wire.heal();
    expect((await commit(session, topic, ['after'])).outcome).toBe('committed');
    expect(await texts(log, topic)).toEqual(['before', 'after']);
  });

  it('without a trace when a batch of unknown fate is given up, and its numbers are not mistaken for those of the next', async () => {
    const { log, wire } = await clients.open({ retryMs: 200 });
    const topic = await newTopic(log, 1);
    const session = await log.openSession(uniqueName('task'));
    // It was written, though nobody knows: the next batch must not be taken for the same one.
    void wire.loseAnswerTo(PRODUCE).then(() => wire.cut());
    expect((await commit(session, topic, ['never'])).outcome).toBe('aborted');
    wire.heal();
    expect((await commit(session, topic, ['after'])).outcome).toBe('committed');
    expect(await texts(log, topic)).toEqual(['after']);
  });

  it('of a zombie that wakes at its commit are refused, and nothing of them is seen', async () => {
    const [zombie, owner] = [await clients.open(), await clients.open()];
    const topic = await newTopic(owner.log, 1);
    const task = uniqueName('task');
    const end = zombie.wire.hold(END_TRANSACTION);
    const committing = commit(await zombie.log.openSession(task), topic, ['zombie']);
    committing.catch(() => undefined);
    await end.met;
    const session = await owner.log.openSession(task);
    expect((await commit(session, topic, ['owner'])).outcome).toBe('committed');
    end.release();
    await expect(committing).rejects.toBeInstanceOf(FencedError);
    expect(await texts(owner.log, topic)).toEqual(['owner']);
  });

  it('do not fence the rightful owner when a failed one is repaired late', async () => {
    const [late, owner] = [await clients.open({ retryMs: 200 }), await clients.open()];
    const topic = await newTopic(owner.log, 1);
    const task = uniqueName('task');
    const session = await late.log.openSession(task);
    const batch = late.wire.hold(PRODUCE);
    const failing = commit(session, topic, ['never']);
    await batch.met;
    late.wire.cut();
    expect((await failing).outcome).toBe('aborted');
    const rightful = await owner.log.openSession(task);
    late.wire.heal();
    // It would raise its epoch first, to void what it has sent: that is refused, since it is not the latest.
    await expect(commit(session, topic, ['late'])).rejects.toBeInstanceOf(FencedError);
    expect((await commit(rightful, topic, ['owner'])).outcome).toBe('committed');
    expect(await texts(owner.log, topic)).toEqual(['owner']);
  });

  it('hold more than one batch takes, all or nothing', async () => {
    const { log } = await clients.open();
    const topic = await newTopic(log, 2);
    const large = Array.from({ length: 9 }, (_, index) => ({
      ...record(topic, index % 2, `k${index}`),
      value: Buffer.alloc(600_000, index),
    }));
    const end = await log.append(large);
    for (const partition of [0, 1]) {
      const kept = await readAll(log, topic, partition);
      expect(kept.map(({ value }) => value?.[0])).toEqual(
        large.filter((each) => each.partition === partition).map(({ value }) => value[0]),
      );
      expect(end[partitionKey(topic, partition)]).toBe(at(kept.at(-1)).offset + 1);
    }
  });

  it('take a record of the largest size whose headers take more bytes than the limit counts', async () => {
    const { log } = await clients.open();
    const topic = await newTopic(log, 1);
    const headers: Record<string, string> = {};
    for (let index = 0; index < 6_000; index++) headers[`name-${index}-${'n'.repeat(60)}`] = 'v'.repeat(64);
    const bare = { ...record(topic, 0, 'full'), headers, value: Buffer.alloc(0) };
    const full = { ...bare, value: Buffer.alloc(log.limits.maxRecordBytes - recordBytes(bare), 1) };
    await log.append([full]);
    expect(recordBytes(at((await readAll(log, topic))[0]))).toBe(log.limits.maxRecordBytes);
  });

  it('are not needed where one batch holds an append, so that no marker follows it', async () => {
    const { log } = await clients.open();
    const topic = await newTopic(log, 2);
    await Promise.all([log.append(records(topic, 0, 3)), log.append(records(topic, 0, 2)), log.append(records(topic, 1, 1))]);
    expect((await log.offsets(topic)).map(({ end }) => end)).toEqual([5, 1]);
    await log.append([...records(topic, 0, 1), ...records(topic, 1, 1)]);
    for (const partition of [0, 1]) await readAll(log, topic, partition);
    expect((await log.offsets(topic)).map(({ end }) => end)).toEqual([7, 3]);
  });

  async function filled(log: EventLog): Promise<TopicName> {
    const topic = await newTopic(log, 1);
    await log.append(records(topic, 0, 3));
    return topic;
  }
});
