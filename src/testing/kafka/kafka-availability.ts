import { dockerProblem } from './docker-brokers.js';
import { namedBrokers } from './given-brokers.js';
import { findJava, findMaven } from './java-runtime.js';
import { cachedJars } from './kafka-jars.js';
import { REMEDY } from './kafka-errors.js';
import type { KafkaSource } from './started-kafka.js';

/** Where brokers would come from, or why there are none. */
export type KafkaAvailability =
  | { readonly source: KafkaSource }
  | {
      readonly source: null;
      /** Of each way that was looked at, why it cannot be gone. */
      readonly looked: readonly string[];
      /** What to do about it, as a sentence. */
      readonly remedy: string;
    };

/**
 * Where `startKafka` would take brokers from. Looks without starting or downloading anything, so that a suite can be skipped
 * loudly where there are none:
 *
 * ```ts
 * const kafka = await kafkaAvailability();
 * if (kafka.source === null) console.warn(`skipped: ${kafka.looked.join('; ')}. ${kafka.remedy}`);
 * ```
 */
export async function kafkaAvailability(
  from: readonly KafkaSource[] = ['environment', 'docker', 'java'],
): Promise<KafkaAvailability> {
  const looked: string[] = [];
  for (const source of from) {
    const problem = await PROBLEMS[source]();
    if (problem === null) return { source };
    looked.push(problem);
  }
  return { source: null, looked, remedy: REMEDY };
}

/** Why a way cannot be gone, or null when it can. */
const PROBLEMS: Readonly<Record<KafkaSource, () => Promise<string | null>>> = {
  environment: async () => (namedBrokers() === null ? 'KAFKA_BROKERS is not set' : null),
  docker: dockerProblem,
  java: javaProblem,
};

async function javaProblem(): Promise<string | null> {
  const java = await findJava();
  if ('missing' in java) return java.missing;
  if ((await cachedJars()) !== null) return null;
  const maven = await findMaven();
  return 'missing' in maven ? maven.missing : null;
}
