import { randomBytes } from 'node:crypto';
import { setTimeout as wait } from 'node:timers/promises';
import type { Kafka } from 'kafkajs';
import { KappaError } from '../../kernel/errors.js';

export interface Readiness {
  readonly brokers: readonly string[];
  /** How many must be there and have all internal records. */
  readonly count: number;
  readonly timeoutMs: number;
  /** Throws when it is known by now that they will never be ready. */
  readonly check: () => Promise<void>;
  /** What to throw at the end of the time; `reason` is the last thing that did not work. */
  readonly late: (reason: string) => Promise<Error>;
}

const INTERNAL = ['__consumer_offsets', '__transaction_state'];
const POLL_MS = 50;

/**
 * Waits until a transaction and a group can begin: the ports are open seconds before. The first use makes the internal topics,
 * and clients meet errors of all kinds until each replica of them stands.
 */
export async function untilReady({ brokers, count, timeoutMs, check, late }: Readiness): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  const kafka = await quietKafka(brokers);
  for (;;) {
    await check();
    const reason = await problem(kafka, count);
    if (reason === null) return;
    if (performance.now() > deadline) throw await late(reason);
    await wait(POLL_MS);
  }
}

/** How many brokers a cluster has. */
export async function brokerCount(brokers: readonly string[]): Promise<number> {
  const admin = (await quietKafka(brokers)).admin();
  try {
    await admin.connect();
    return (await admin.describeCluster()).brokers.length;
  } finally {
    await admin.disconnect();
  }
}

async function problem(kafka: Kafka, count: number): Promise<string | null> {
  const id = `kappa-ready-${randomBytes(6).toString('hex')}`;
  const admin = kafka.admin();
  // One retry is the least that kafkajs allows a transactional producer.
  const retry = { retries: 1, initialRetryTime: POLL_MS };
  const producer = kafka.producer({ transactionalId: id, maxInFlightRequests: 1, idempotent: true, retry });
  try {
    await admin.connect();
    const { brokers } = await admin.describeCluster();
    if (brokers.length < count) return `${brokers.length} of ${count} brokers have joined`;
    await producer.connect();
    // Looks the coordinator up and begins an epoch there; aborting what is empty sends nothing.
    await (await producer.transaction()).abort();
    await admin.describeGroups([id]);
    const { topics } = await admin.fetchTopicMetadata({ topics: INTERNAL });
    const behind = topics.find(({ partitions }) => partitions.some(({ isr }) => isr.length < count));
    return behind ? `replicas of ${behind.name} have not caught up` : null;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  } finally {
    await Promise.allSettled([producer.disconnect(), admin.disconnect()]);
  }
}

/** Fails at once and in silence: whoever waits asks again, and errors are the normal case until the brokers are up. */
async function quietKafka(brokers: readonly string[]): Promise<Kafka> {
  const { Kafka, logLevel } = await import('kafkajs').catch((error: unknown) => {
    throw new KappaError('KAPPA_NO_KAFKAJS', 'kafkajs is not installed', {
      nextStep: 'Install it: npm install kafkajs@2.2.4',
      cause: error,
    });
  });
  return new Kafka({
    clientId: 'nest-kappa-testing',
    brokers: [...brokers],
    logLevel: logLevel.NOTHING,
    connectionTimeout: 1_000,
    requestTimeout: 5_000,
    retry: { retries: 0 },
  });
}
