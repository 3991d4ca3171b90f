import { once } from 'node:events';
import { createServer, type Server } from 'node:net';
import { KappaError } from '../../kernel/errors.js';

/**
 * Below the ports that systems give to outgoing connections (from 32768 on Linux, 49152 elsewhere). From among those, the port of
 * a broker that is down could be taken by a client that tries to reach it, which on the loopback even connects to itself.
 */
const FIRST = 15_000;
const LAST = 32_000;
const TRIES = 1_000;

/** Different ports of 127.0.0.1 that nobody listens on; `wanted` ones first. */
export async function freePorts(count: number, wanted: readonly number[] = []): Promise<number[]> {
  const held: Server[] = [];
  const ports: number[] = [];
  const candidates = [...wanted];
  try {
    for (let tries = 0; ports.length < count; tries++) {
      if (tries > TRIES) throw noPort();
      const port = candidates.shift() ?? FIRST + Math.floor(Math.random() * (LAST - FIRST));
      const server = await listen(port);
      if (server === null) continue;
      held.push(server);
      ports.push(port);
    }
    return ports;
  } finally {
    // Held until all are found, so that no port is found twice.
    for (const server of held) server.close();
    await Promise.all(held.map((server) => once(server, 'close')));
  }
}

function listen(port: number): Promise<Server | null> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(null));
    server.listen(port, '127.0.0.1', () => resolve(server));
  });
}

function noPort(): KappaError {
  return new KappaError('KAPPA_KAFKA_START', 'there is no free port on 127.0.0.1 for a Kafka broker', {
    nextStep: 'End programs that hold ports, or name running brokers with KAFKA_BROKERS.',
  });
}
