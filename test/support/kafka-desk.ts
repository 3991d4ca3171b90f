import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { KappaError } from '../../src/kernel/errors.js';
import { kafkaAvailability } from '../../src/testing/kafka/kafka-availability.js';
import { startKafka } from '../../src/testing/kafka/start-kafka.js';
import type { KafkaSource, StartedKafka } from '../../src/testing/kafka/started-kafka.js';

/** What the desk answers: brokers (none of its own when the asker starts some), or why there are none. */
export type DeskAnswer = { readonly brokers: readonly string[] } | { readonly code: string; readonly message: string };

/** Where the processes of a run ask for brokers. */
export const DESK_URL = 'KAPPA_TEST_KAFKA_DESK';

/**
 * Starts the brokers that the tests of a run share: one, or three, or both, each when it is first asked for, so that a run that
 * needs none starts none. They belong to this process and end with it.
 */
export class KafkaDesk {
  readonly #started = new Map<string, Promise<StartedKafka>>();
  #missed: string | null = null;
  readonly #server = createServer((request, response) => {
    void this.#answer(request.url ?? '').then((answer) => response.end(JSON.stringify(answer)));
  });

  async open(): Promise<string> {
    this.#server.listen(0, '127.0.0.1');
    await once(this.#server, 'listening');
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Stops what it has started, and says so when tests did not run for want of brokers. */
  async close(): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    const started = await Promise.allSettled(this.#started.values());
    await Promise.all(started.map((one) => (one.status === 'fulfilled' ? one.value.stop() : Promise.resolve())));
    if (this.#missed !== null) process.stderr.write(`\nTESTS ON KAFKA DID NOT RUN. ${this.#missed}\n`);
  }

  async #answer(wanted: string): Promise<DeskAnswer> {
    try {
      switch (wanted) {
        case '/1':
          return { brokers: (await this.#shared(wanted, 1)).brokers };
        case '/3':
          return { brokers: (await this.#shared(wanted, 3)).brokers };
        case '/java':
          return await own(['java']);
        default:
          return await own(['docker', 'java']);
      }
    } catch (error) {
      if (!(error instanceof KappaError)) return { code: 'KAPPA_TEST', message: String(error) };
      if (error.code === 'KAPPA_NO_KAFKA') this.#missed = error.message;
      return { code: error.code, message: error.message };
    }
  }

  #shared(wanted: string, brokers: 1 | 3): Promise<StartedKafka> {
    const started = this.#started.get(wanted) ?? startKafka({ brokers });
    this.#started.set(wanted, started);
    return started;
  }
}

/** For tests that start their own, to kill them. */
async function own(from: readonly KafkaSource[]): Promise<DeskAnswer> {
  const available = await kafkaAvailability(from);
  if (available.source !== null) return { brokers: [] };
  throw new KappaError('KAPPA_NO_KAFKA', `no brokers can be started: ${available.looked.join('; ')}`, {
    nextStep: available.remedy,
  });
}
