import { KappaError, type ErrorFacts } from '../../kernel/errors.js';
import { JAVA_NEEDED } from './java-runtime.js';

/** What to do where no brokers are to be had. */
export const REMEDY =
  `Name running brokers with KAFKA_BROKERS=host:port,…, or start a Docker engine and install testcontainers, ` +
  `or install Java ${JAVA_NEEDED} or newer and Maven.`;

/** `looked` says of each way why it cannot be gone. */
export function noKafka(looked: readonly string[], cause?: unknown): KappaError {
  return new KappaError('KAPPA_NO_KAFKA', `no Kafka brokers are to be had: ${looked.join('; ')}`, {
    facts: { looked },
    nextStep: REMEDY,
    ...(cause === undefined ? {} : { cause }),
  });
}

/** `log` is the end of what a broker said. */
export function didNotStart(reason: string, log: string, facts: ErrorFacts = {}, cause?: unknown): KappaError {
  return new KappaError('KAPPA_KAFKA_START', `Kafka did not start: ${reason}${log && ` (its log ends with: ${log})`}`, {
    facts: { ...facts, log },
    nextStep: 'Look into what it said; memory, disk space and unknown properties are what mostly ails it.',
    ...(cause === undefined ? {} : { cause }),
  });
}

/** Returns what stands for broker `n`. @throws KAPPA_KAFKA_NO_BROKER when there is none */
export function brokerOf<T>(all: readonly T[], n: number): T {
  if (n in all) return all[n] as T;
  throw new KappaError('KAPPA_KAFKA_NO_BROKER', `there is no broker ${n}`, {
    facts: { broker: n, brokers: all.length },
    nextStep: `Name one from 0 to ${all.length - 1}.`,
  });
}

export function isDown(n: number): KappaError {
  return new KappaError('KAPPA_KAFKA_NO_BROKER', `broker ${n} is down`, {
    facts: { broker: n },
    nextStep: `Start it with restart(${n}).`,
  });
}
