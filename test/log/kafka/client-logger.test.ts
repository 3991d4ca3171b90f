import { createServer, type AddressInfo } from 'node:net';
import { once } from 'node:events';
import { expect, it } from 'vitest';
import type { Logger } from '../../../src/kernel/logger.js';
import { clientLogger } from '../../../src/log/kafka/client-logger.js';
import { KafkaLog } from '../../../src/log/kafka/kafka-log.js';
import { resolveKafkaOptions } from '../../../src/log/kafka/kafka-options.js';

class Lines implements Logger {
  readonly said: { readonly level: keyof Logger; readonly message: string }[] = [];
  readonly log = (message: string): void => void this.said.push({ level: 'log', message });
  readonly warn = (message: string): void => void this.said.push({ level: 'warn', message });
  readonly error = (message: string): void => void this.said.push({ level: 'error', message });
  readonly debug = (message: string): void => void this.said.push({ level: 'debug', message });
}

it('says at the level of debug what kafkajs calls an error, whichever part of it speaks, and none of its requests', () => {
  const lines = new Lines();
  const kafkajs = clientLogger(lines).namespace('Connection');
  kafkajs.error('Connection error: connect ECONNREFUSED', { stack: '…' });
  kafkajs.warn('a warning');
  kafkajs.info('a notice');
  kafkajs.debug('Request Metadata(key: 3, version: 12)');
  expect(lines.said).toEqual([
    { level: 'debug', message: 'kafkajs: Connection error: connect ECONNREFUSED' },
    { level: 'debug', message: 'kafkajs: a warning' },
    { level: 'debug', message: 'kafkajs: a notice' },
  ]);
});

it('loses no error: the driver says and throws itself what kafkajs has met', async () => {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  const lines = new Lines();
  const log = new KafkaLog(resolveKafkaOptions({ brokers: [`127.0.0.1:${port}`], connectTimeoutMs: 300 }), {
    clientId: 'tests',
    logger: lines,
    relayed: async () => false,
  });
  const refused = `connect ECONNREFUSED 127.0.0.1:${port}`;
  await expect(log.start()).rejects.toThrow(new RegExp(`^KAPPA_KAFKA_UNREACHABLE: .*${refused}`));
  await log.stop();
  const own = lines.said.filter(({ message }) => !message.startsWith('kafkajs: '));
  expect(own).toMatchObject([{ level: 'warn', message: expect.stringMatching(`waiting for Kafka .*${refused}`) as string }]);
  const client = lines.said.filter(({ message }) => message.startsWith('kafkajs: '));
  expect(client.length).toBeGreaterThan(1);
  expect(new Set(client.map(({ level, message }) => `${level}: ${message}`))).toEqual(
    new Set([`debug: kafkajs: Connection error: ${refused}`]),
  );
});
