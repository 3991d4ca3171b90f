import { createServer, type AddressInfo } from 'node:net';
import { once } from 'node:events';
import { afterEach, describe, expect, it } from 'vitest';
import { kafka } from '../../../src/log/kafka/kafka-options.js';
import { KafkaLog } from '../../../src/log/kafka/kafka-log.js';
import { silentLogger } from '../../../src/kernel/logger.js';
import {
  code,
  joinRecording,
  newTopic,
  pollUntil,
  record,
  uniqueName,
} from '../../../src/testing/log-conformance/log-under-test.js';
import { describeOnKafka } from '../../support/kafka.js';
import { KafkaClients } from './kafka-clients.js';

const context = { clientId: 'tests', logger: silentLogger, relayed: async () => false };
const open = (options: Parameters<typeof kafka>[0]) => kafka(options).open(context as never);

describe('the options of the kafka log', () => {
  it('are checked at once, all of them', () => {
    expect(() => kafka({ brokers: [], heartbeatMs: 9_000, replicationFactor: 0.5 })).toThrow(
      /KAPPA_BAD_OPTIONS[^]*brokers is empty[^]*replicationFactor is 0.5[^]*heartbeatMs is 9000; must be at most half/,
    );
    for (const broker of ['http://kafka:9092', 'kafka:99999', '', 'a b:1'])
      expect(() => kafka({ brokers: [broker] }), broker).toThrow('must be host:port');
  });

  it('take one text as well as a list, and the usual port', () => {
    const driver = kafka({ brokers: 'one:9092, two,[::1]:9093', maxRecordBytes: 2_048 });
    expect([driver.driver, driver.maxRecordBytes]).toEqual(['kafka', 2_048]);
    expect(driver.open(context as never)).toBeInstanceOf(KafkaLog);
  });
});

describe('a kafka log whose brokers are away', () => {
  it('gives up after its time, and says where it looked and what to do', async () => {
    const log = open({ brokers: ['127.0.0.1:1'], connectTimeoutMs: 150 });
    await expect(log.start()).rejects.toSatisfy((error) => {
      expect(String(error)).toMatch(
        /KAPPA_KAFKA_UNREACHABLE: Kafka at 127.0.0.1:1 did not answer .* Start it, or correct brokers/,
      );
      return code('KAPPA_KAFKA_UNREACHABLE')(error);
    });
    await log.stop();
  });

  it('gives up on one that takes the connection and is silent', async () => {
    const server = createServer();
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const log = open({ brokers: [`127.0.0.1:${port}`], connectTimeoutMs: 100, requestTimeoutMs: 200 });
    await expect(log.start()).rejects.toSatisfy(code('KAPPA_KAFKA_UNREACHABLE'));
    await log.stop();
    server.close();
  });

  it('stops waiting when it is told to', async () => {
    const stop = new AbortController();
    const log = open({ brokers: ['127.0.0.1:1'], connectTimeoutMs: 60_000 });
    const starting = log.start({ signal: stop.signal });
    stop.abort(new Error('no more'));
    await expect(starting).rejects.toThrow('no more');
    await log.stop();
  });
});

await describeOnKafka('a kafka log that stops', 1, (brokers) => {
  const clients = new KafkaClients(brokers);
  afterEach(() => clients.close());

  it('has closed every socket, whatever was under way, and is not used any more', async () => {
    const { log, wire } = await clients.open();
    const topic = await newTopic(log, 2);
    await log.append([record(topic, 0, 'a'), record(topic, 1, 'b')]);
    const session = await log.openSession(uniqueName('task'));
    const { member } = await joinRecording(log, uniqueName('g'), [topic]);
    await pollUntil([member], () => member.assignment.length === 2);
    const polling = member.poll({ maxWaitMs: 600_000 });
    const following = (async () => {
      for await (const batch of log.read({ from: { [`${topic}/0`]: 0 } })) expect(batch.records).not.toHaveLength(0);
    })();
    const outcome = following.catch((error: unknown) => error);
    const appending = log.append([record(topic, 0, 'c')]).catch((error: unknown) => error);
    await log.stop();
    expect(wire.open).toBe(0);
    await Promise.all([polling, appending]);
    expect(code('KAPPA_LOG_STOPPED')(await outcome)).toBe(true);
    await expect(log.append([record(topic, 0, 'late')])).rejects.toSatisfy(code('KAPPA_LOG_STOPPED'));
    expect(() => session.begin()).toThrow('is closed');
    await log.stop();
  });
});
