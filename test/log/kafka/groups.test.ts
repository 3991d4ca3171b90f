import { AssignerProtocol, Kafka, logLevel } from 'kafkajs';
import { afterEach, expect, it } from 'vitest';
import { RetriableError } from '../../../src/kernel/errors.js';
import { partitionKey } from '../../../src/kernel/position.js';
import {
  code,
  joinRecording,
  newTopic,
  pollUntil,
  position,
  record,
  records,
  textsOf,
  uniqueName,
} from '../../../src/testing/log-conformance/log-under-test.js';
import { describeOnKafka } from '../../support/kafka.js';
import { KafkaClients, withAdmin } from './kafka-clients.js';

const HEARTBEAT = 12;

await describeOnKafka('a group of Kafka', 1, (brokers) => {
  const clients = new KafkaClients(brokers);
  afterEach(() => clients.close());

  it('goes on while another joins, and takes from its members only what moves', async () => {
    const [one, other] = [await clients.open(), await clients.open()];
    const topic = await newTopic(one.log, 4);
    const group = uniqueName('g');
    const first = await joinRecording(one.log, group, [topic]);
    await pollUntil([first.member], () => first.member.assignment.length === 4);
    const second = await joinRecording(other.log, group, [topic]);
    await pollUntil([first.member, second.member], () => second.member.assignment.length === 2);
    const kept = first.member.assignment;
    expect(kept).toHaveLength(2);
    // Neither were those that it keeps revoked, nor assigned anew.
    expect(first.events.map(({ kind }) => kind)).toEqual(['assigned', 'rebalance']);
    expect(first.events[1]?.partitions.some((key) => kept.includes(key))).toBe(false);
  });

  it('is shown as it was before a transaction that does not end', async () => {
    const { log } = await clients.open();
    const topic = await newTopic(log, 1);
    const group = uniqueName('g');
    const kafka = new Kafka({ brokers: [...brokers], logLevel: logLevel.NOTHING });
    const producer = kafka.producer({ transactionalId: uniqueName('open'), idempotent: true, maxInFlightRequests: 1 });
    await producer.connect();
    const commit = async (offset: number) => {
      const transaction = await producer.transaction();
      // As our sessions do: others that list all groups of this broker take no place for one of a relayed topic.
      const place = { partition: 0, offset: `${offset}`, metadata: 'kappa' };
      await transaction.sendOffsets({ consumerGroupId: group, topics: [{ topic, partitions: [place] }] });
      return transaction;
    };
    await log.append(records(topic, 0, 3));
    await (await commit(1)).commit();
    await expect.poll(() => log.groups.describe(group)).toMatchObject({ committed: position([topic, 0, 1]) });
    const open = await commit(2);
    expect(await log.groups.describe(group)).toMatchObject({ committed: position([topic, 0, 1]) });
    expect((await log.groups.list()).map((one) => one.group)).toContain(group);
    await open.abort();
    await producer.disconnect();
  });

  it('lets a member join while another is in the middle of long work, and waits for it only with what moves', async () => {
    const [one, other, third] = [await clients.open(), await clients.open(), await clients.open()];
    const topic = await newTopic(one.log, 4);
    const group = uniqueName('g');
    const busy = await joinRecording(one.log, group, [topic]);
    await pollUntil([busy.member], () => busy.member.assignment.length === 4);
    // It does not poll any more: it works. The others come and go.
    const second = await joinRecording(other.log, group, [topic]);
    const beats = () => one.wire.sent.filter((request) => request === HEARTBEAT).length;
    const before = beats();
    await pollUntil([second.member], () => beats() > before + 3);
    expect(second.member.assignment).toEqual([]);
    expect(busy.events.map(({ kind }) => kind)).toEqual(['assigned']);
    await second.member.leave();
    const last = await joinRecording(third.log, group, [topic]);
    await pollUntil([busy.member, last.member], () => last.member.assignment.length === 2);
  });

  it('keeps a member in long work by heartbeats in the background', async () => {
    const { log, wire } = await clients.open();
    const topic = await newTopic(log, 1);
    const { member, events } = await joinRecording(log, uniqueName('g'), [topic]);
    await pollUntil([member], () => member.assignment.length === 1);
    const before = wire.sent.filter((request) => request === HEARTBEAT).length;
    // More heartbeats than fit into a session timeout.
    while (wire.sent.filter((request) => request === HEARTBEAT).length < before + 20)
      await new Promise((resolve) => setTimeout(resolve, 10));
    await log.append([record(topic, 0, 'still here')]);
    const seen: string[] = [];
    await pollUntil(
      [member],
      () => seen.length === 1,
      (batch) => seen.push(...textsOf([batch])),
    );
    expect(events.map(({ kind }) => kind)).toEqual(['assigned']);
  });

  it('gives what a silent member holds to others, who is told at its next poll and may come back', async () => {
    const [one, other] = [await clients.open({ maxMemberSilenceMs: 200 }), await clients.open()];
    const topic = await newTopic(one.log, 2);
    const group = uniqueName('g');
    const silent = await joinRecording(one.log, group, [topic]);
    await pollUntil([silent.member], () => silent.member.assignment.length === 2);
    const second = await joinRecording(other.log, group, [topic]);
    await pollUntil([second.member], () => second.member.assignment.length === 2);
    await pollUntil([silent.member], () => silent.events.some(({ kind }) => kind === 'lost'));
    expect(silent.events.find(({ kind }) => kind === 'lost')?.partitions).toHaveLength(2);
    await pollUntil(
      [silent.member, second.member],
      () => silent.member.assignment.length === 1 && second.member.assignment.length === 1,
    );
  });

  it('gives nothing to a member whose connections are gone for longer than its session, until it has been heard of again', async () => {
    const [one, other] = [await clients.open({ retryMs: 100 }), await clients.open()];
    const topic = await newTopic(one.log, 2);
    const group = uniqueName('g');
    const cut = await joinRecording(one.log, group, [topic]);
    await pollUntil([cut.member], () => cut.member.assignment.length === 2);
    one.wire.cut();
    const second = await joinRecording(other.log, group, [topic]);
    await pollUntil([second.member], () => second.member.assignment.length === 2);
    await other.log.append(records(topic, 0, 3));
    await expect(cut.member.poll()).rejects.toBeInstanceOf(RetriableError);
    expect(cut.events.at(-1)?.kind).toBe('lost');
    one.wire.heal();
    await pollUntil(
      [cut.member, second.member],
      () => cut.member.assignment.length === 1 && second.member.assignment.length === 1,
    );
  });

  it('is shown by Kafka’s own tools, with topics, partitions and committed offsets', async () => {
    const { log } = await clients.open();
    const topic = await newTopic(log, 3);
    const group = uniqueName('g');
    const { member } = await joinRecording(log, group, [topic]);
    await pollUntil([member], () => member.assignment.length === 3);
    const transaction = (await log.openSession(uniqueName('task'))).begin();
    transaction.commitOffsets(group, position([topic, 1, 5]));
    await transaction.commit();
    expect(await log.committed(group)).toEqual({ [partitionKey(topic, 1)]: 5 });
    await withAdmin(brokers, async (admin) => {
      const [described] = (await admin.describeGroups([group])).groups;
      expect(described).toMatchObject({ state: 'Stable', protocol: 'kappa-numbers', protocolType: 'consumer' });
      const assignment = described?.members[0]?.memberAssignment ?? Buffer.alloc(0);
      expect(AssignerProtocol.MemberAssignment.decode(assignment)?.assignment).toEqual({ [topic]: [0, 1, 2] });
      const [offsets] = await admin.fetchOffsets({ groupId: group, topics: [topic] });
      expect(offsets?.partitions.find(({ partition }) => partition === 1)?.offset).toBe('5');
    });
  });

  it('that has members of another kind is refused with what to do', async () => {
    const { log } = await clients.open();
    const topic = await newTopic(log, 1);
    const group = uniqueName('g');
    const consumer = new Kafka({ brokers: [...brokers], logLevel: logLevel.NOTHING }).consumer({ groupId: group });
    await consumer.connect();
    await consumer.subscribe({ topic });
    const joined = new Promise((resolve) => consumer.on('consumer.group_join', resolve));
    await consumer.run({ eachMessage: async () => undefined });
    await joined;
    const { member } = await joinRecording(log, group, [topic]);
    await expect(pollUntil([member], () => false)).rejects.toSatisfy(code('KAPPA_FOREIGN_GROUP'));
    await consumer.disconnect();
  });
});
