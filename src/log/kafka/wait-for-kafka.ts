import { setTimeout as sleep } from 'node:timers/promises';
import { KappaError } from '../../kernel/errors.js';
import type { Logger } from '../../kernel/logger.js';
import type { ClusterMetadata } from './wire/api/metadata.js';
import type { Cluster } from './wire/cluster.js';
import { BrokerAwayError } from './wire/kafka-error.js';

export interface WaitForKafkaOptions {
  readonly timeoutMs: number;
  readonly logger: Logger;
  readonly signal?: AbortSignal;
}

const FIRST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 1_000;
const SAY_EVERY_MS = 5_000;

/**
 * Waits with words while no broker answers: they may be starting beside this process.
 * @throws KAPPA_KAFKA_UNREACHABLE after `timeoutMs`; at once what waiting does not mend (login, certificate, too old)
 */
export async function waitForKafka(
  cluster: Cluster,
  { timeoutMs, logger, signal }: WaitForKafkaOptions,
): Promise<ClusterMetadata> {
  const brokers = cluster.options.brokers.map(({ host, port }) => `${host}:${port}`).join(', ');
  const began = performance.now();
  let said = -Infinity;
  for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs = Math.min(pauseMs * 2, LONGEST_PAUSE_MS)) {
    signal?.throwIfAborted();
    try {
      const found = await cluster.metadata([]);
      if (said > -Infinity) logger.log(`Kafka at ${brokers} answers after ${seconds(performance.now() - began)} s`);
      return found;
    } catch (error) {
      if (!(error instanceof BrokerAwayError)) throw error;
      const waitedMs = performance.now() - began;
      if (waitedMs + pauseMs > timeoutMs) throw unreachable(brokers, waitedMs, error);
      if (performance.now() - said >= SAY_EVERY_MS) {
        logger.warn(`waiting for Kafka at ${brokers}: ${error.message} (${seconds(waitedMs)} of ${seconds(timeoutMs)} s)`);
        said = performance.now();
      }
    }
    // An abort ends the pause; what it says is thrown at the head of the loop.
    await sleep(pauseMs, undefined, signal ? { signal } : {}).catch(() => undefined);
  }
}

function unreachable(brokers: string, waitedMs: number, cause: BrokerAwayError): KappaError {
  return new KappaError(
    'KAPPA_KAFKA_UNREACHABLE',
    `Kafka at ${brokers} did not answer within ${seconds(waitedMs)} s: ${cause.message}`,
    {
      facts: { brokers, waitedMs: Math.round(waitedMs) },
      nextStep: 'Start it, or correct brokers (and ssl) of kafka(…).',
      cause,
    },
  );
}

function seconds(ms: number): string {
  return String(Math.round(ms / 1_000));
}
