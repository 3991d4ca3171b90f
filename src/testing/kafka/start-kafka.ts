import { KappaError } from '../../kernel/errors.js';
import { startDockerBrokers } from './docker-brokers.js';
import { givenBrokers, namedBrokers } from './given-brokers.js';
import { javaAndKafka } from './java-and-kafka.js';
import { startJavaBrokers } from './java-brokers.js';
import { kafkaAvailability } from './kafka-availability.js';
import { noKafka } from './kafka-errors.js';
import type { KafkaSource, StartedKafka, StartKafkaOptions } from './started-kafka.js';

const ALL: readonly KafkaSource[] = ['environment', 'docker', 'java'];
const DEFAULT_TIMEOUT_MS = 120_000;

/**
 * Real Kafka brokers: those of KAFKA_BROKERS, else in containers (a Docker engine and the package testcontainers), else as
 * processes (Java 17 or newer; Maven fetches Kafka once, 43 MB). They answer transactions and groups when this resolves, and end
 * with this process, also when it is killed.
 *
 * ```ts
 * const kafka = await startKafka({ brokers: 3 });
 * const client = new Kafka({ brokers: [...kafka.brokers] });
 * await kafka.kill(0);
 * await kafka.restart(0);
 * await kafka.stop();
 * ```
 * @throws KAPPA_NO_KAFKA with what was looked for, KAPPA_KAFKA_START with the end of a broker's log, KAPPA_KAFKA_TOO_SMALL when
 *   KAFKA_BROKERS names fewer than wanted, KAPPA_KAFKA_UNREACHABLE when they do not answer, KAPPA_NO_KAFKAJS
 */
export async function startKafka(options: StartKafkaOptions = {}): Promise<StartedKafka> {
  const { brokers = 1, timeoutMs = DEFAULT_TIMEOUT_MS } = options;
  checkCount(brokers);
  const available = await kafkaAvailability(fitting(options));
  switch (available.source) {
    case null:
      throw noKafka(available.looked);
    case 'environment':
      return givenBrokers(namedBrokers() ?? [], brokers);
    case 'docker':
      return startDockerBrokers({ ...options, brokers, timeoutMs });
    case 'java':
      return startJavaBrokers({ ...options, ...(await javaAndKafka()), brokers, timeoutMs });
  }
}

/** Not every way can do all: brokers that run already have their properties, and a container keeps no folder of ours. */
function fitting({ from = ALL, properties, advertise, dataDir }: StartKafkaOptions): readonly KafkaSource[] {
  const own = properties !== undefined || advertise !== undefined || dataDir !== undefined;
  return from.filter((source) => (source !== 'environment' || !own) && (source !== 'docker' || dataDir === undefined));
}

function checkCount(brokers: number): void {
  if (brokers === 1 || brokers === 3) return;
  throw new KappaError('KAPPA_KAFKA_OPTIONS', `${brokers} brokers cannot be started`, {
    facts: { brokers },
    nextStep: 'Ask for 1 or 3.',
  });
}
