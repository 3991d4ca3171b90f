import assert from 'node:assert/strict';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { RetriableError } from '../../../src/kernel/errors.js';
import { topicName } from '../../../src/kernel/names.js';
import { partitionKey } from '../../../src/kernel/position.js';
import { startKafka } from '../../../src/testing/kafka/start-kafka.js';
import type { StartedKafka } from '../../../src/testing/kafka/started-kafka.js';
import {
  newTopic,
  pollUntil,
  position,
  readAll,
  record,
  textOf,
  textsOf,
  uniqueName,
} from '../../../src/testing/log-conformance/log-under-test.js';
import { describeWithOwnKafka } from '../../support/kafka.js';
import { KafkaClients, withAdmin } from './kafka-clients.js';

await describeWithOwnKafka('three brokers, one of which dies', () => {
  let kafka: StartedKafka;
  let clients: KafkaClients;
  beforeAll(async () => {
    kafka = await startKafka({ brokers: 3, from: ['docker', 'java'] });
    clients = new KafkaClients(kafka.brokers);
  }, 120_000);
  afterEach(() => clients.close());
  afterAll(() => kafka.stop());

  async function leaderOf(topic: string): Promise<number> {
    return withAdmin(kafka.brokers, async (admin) => {
      const { topics } = await admin.fetchTopicMetadata({ topics: [topic] });
      return topics[0]?.partitions[0]?.leader ?? -1;
    });
  }

  it('lose and double nothing of sessions, readers and groups that go on meanwhile', { timeout: 120_000 }, async () => {
    const [writer, reader] = [await clients.open(), await clients.open()];
    const [input, topic] = [await newTopic(writer.log, 1), await newTopic(writer.log, 1)];
    const [task, group] = [uniqueName('task'), uniqueName('g')];
    let session = await writer.log.openSession(task);
    const polled: string[] = [];
    // As a projection does: one that loses its partition while brokers are away goes on from its own progress.
    let progress = 0;
    const member = await reader.log.join({
      group: uniqueName('g'),
      topics: [topic],
      assigned: async () => ({ [partitionKey(topic, 0)]: progress }),
      revoked: async () => undefined,
    });
    const followed: string[] = [];
    const stop = new AbortController();
    const following = (async () => {
      for await (const batch of reader.log.read({ from: { [partitionKey(topic, 0)]: 0 }, signal: stop.signal }))
        followed.push(...textsOf([batch]));
    })();
    const leader = await leaderOf(topic);
    const rounds = 120;
    const outcomes: string[] = [];
    const writing = (async () => {
      // As a relay does: what is known to be committed is passed, what is not is read from the offsets that went with it.
      for (let next = 0; next < rounds;) {
        const transaction = session.begin();
        transaction.append([record(topic, 0, `${next}a`), record(topic, 0, `${next}b`)]);
        transaction.commitOffsets(group, position([input, 0, next + 1]));
        const { outcome } = await transaction.commit();
        outcomes.push(outcome);
        if (outcome === 'committed') next += 1;
        else if (outcome === 'unknown') {
          session = await writer.log.openSession(task);
          next = (await writer.log.committed(group))[partitionKey(input, 0)] ?? 0;
        }
        if (next === 40) await kafka.kill(leader);
      }
    })();
    const wanted = Array.from({ length: rounds }, (_, round) => [`${round}a`, `${round}b`]).flat();
    while (polled.length < wanted.length) {
      await pollUntil(
        [member],
        () => polled.length >= wanted.length,
        (batch) => {
          progress = batch.next;
          polled.push(...textsOf([batch]));
        },
      ).catch((error: unknown) => {
        // The group's coordinator may be the one that died: what was not given is given by a later poll.
        if (!(error instanceof RetriableError)) throw error;
      });
    }
    await writing;
    await kafka.restart(leader);
    assert.deepEqual((await readAll(reader.log, topic)).map(textOf), wanted, `of ${outcomes.join()}`);
    expect(polled).toEqual(wanted);
    while (followed.length < wanted.length) await new Promise((resolve) => setImmediate(resolve));
    stop.abort();
    await following;
    expect(followed).toEqual(wanted);
  });

  it('let a client that knew only the dead one at first go on by what it has learnt', { timeout: 60_000 }, async () => {
    const { log } = await clients.open({ brokers: [kafka.brokers[0] ?? ''] });
    const topic = await newTopic(log, 3);
    await log.append([0, 1, 2].map((partition) => record(topic, partition, 'before')));
    await kafka.kill(0);
    await log.append([0, 1, 2].map((partition) => record(topic, partition, 'after')));
    for (const partition of [0, 1, 2]) expect((await readAll(log, topic, partition)).map(textOf)).toEqual(['before', 'after']);
    await kafka.restart(0);
  });
});

await describeWithOwnKafka('a broker that compacts', () => {
  let kafka: StartedKafka;
  let clients: KafkaClients;
  beforeAll(async () => {
    kafka = await startKafka({
      from: ['docker', 'java'],
      properties: {
        'log.cleaner.backoff.ms': '100',
        'log.cleaner.min.cleanable.ratio': '0.01',
        'log.cleaner.delete.retention.ms': '0',
      },
    });
    clients = new KafkaClients(kafka.brokers);
  }, 120_000);
  afterAll(async () => {
    await clients.close();
    await kafka.stop();
  });

  it('leaves holes that readers pass, from any place and up to the end', { timeout: 90_000 }, async () => {
    const { log } = await clients.open();
    const topic = topicName(uniqueName('t'));
    expect((await log.createTopic({ name: topic, partitions: 1, retention: null, compaction: true })).compaction).toBe(true);
    await withAdmin(kafka.brokers, (admin) =>
      admin.alterConfigs({
        validateOnly: false,
        resources: [
          {
            type: 2,
            name: topic,
            configEntries: [
              { name: 'cleanup.policy', value: 'compact' },
              { name: 'segment.ms', value: '50' },
              { name: 'message.timestamp.type', value: 'LogAppendTime' },
            ],
          },
        ],
      }),
    );
    const session = await log.openSession(uniqueName('task'));
    let written = 0;
    const write = async () => {
      const transaction = session.begin();
      transaction.append([{ ...record(topic, 0, `${written}`), key: `k${written % 3}` }]);
      written += 1;
      assert.equal((await transaction.commit()).outcome, 'committed');
    };
    // Until the cleaner has been there: it leaves segments alone that are still written to.
    let kept;
    do {
      for (let count = 0; count < 5; count++) await write();
      kept = await readAll(log, topic);
    } while (kept.length > written / 2 || written < 40);
    const [begin, end] = [0, (await log.offsets(topic))[0]?.end ?? 0];
    const key = partitionKey(topic, 0);
    for (const from of [begin, 1, 2, 3, Math.floor(end / 2), end - 1]) {
      const seen: string[] = [];
      let next = from;
      for await (const batch of log.read({ from: { [key]: from }, to: { [key]: end } })) {
        seen.push(...textsOf([batch]));
        expect(batch.next).toBeGreaterThan(next);
        next = batch.next;
      }
      expect(next).toBe(end);
      expect(seen.at(-1) ?? `${written - 1}`).toBe(`${written - 1}`);
    }
  });
});
