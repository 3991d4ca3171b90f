import { classArchiveFlags } from './class-archive.js';
import type { JavaClusterOptions } from './java-cluster.js';
import { findJava, findMaven, type Found } from './java-runtime.js';
import { noKafka } from './kafka-errors.js';
import { cachedJars, fetchJars } from './kafka-jars.js';

/** Java, Kafka's jars (fetched when they are first wanted), and what lets it start fast. @throws KAPPA_NO_KAFKA */
export async function javaAndKafka(): Promise<Pick<JavaClusterOptions, 'java' | 'jars' | 'flags'>> {
  const java = programOf(await findJava());
  const jars = (await cachedJars()) ?? (await fetchJars(programOf(await findMaven())));
  return { java, jars, flags: await classArchiveFlags({ java, jars }) };
}

function programOf(found: Found): string {
  if ('missing' in found) throw noKafka([found.missing]);
  return found.program;
}
