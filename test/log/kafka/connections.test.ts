import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { expect, it } from 'vitest';
import { Connections } from '../../../src/log/kafka/wire/connections.js';
import type { RawLogger } from '../../../src/log/kafka/wire/kafkajs.js';

it('opens a connection for each of many roles at once, and Node sees no leak in it', async () => {
  const server = createServer((socket) => socket.resume()).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const warnings: string[] = [];
  const hear = (warning: Error): void => void warnings.push(warning.message);
  process.on('warning', hear);
  const silent = (): void => undefined;
  const logger: RawLogger = { namespace: () => logger, info: silent, error: silent, warn: silent, debug: silent };
  const connections = new Connections({
    clientId: 'test',
    ssl: null,
    sasl: null,
    socketFactory: null,
    connectTimeoutMs: 30_000,
    requestTimeoutMs: 30_000,
    logger,
  });
  const node = { nodeId: 0, host: '127.0.0.1', port: (server.address() as AddressInfo).port };
  const opening = Promise.allSettled(Array.from({ length: 20 }, (_, role) => connections.to(node, `role-${role}`)));
  await once(server, 'connection');
  await connections.stop();
  await opening;
  // A warning is told in a tick of its own.
  await new Promise((resolve) => setImmediate(resolve));
  process.off('warning', hear);
  server.close();
  expect(warnings).toEqual([]);
});
