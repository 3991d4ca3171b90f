import { describe } from 'vitest';
import { DESK_URL, type DeskAnswer } from './kafka-desk.js';

/**
 * Tests on brokers that all suites of the run share: topics and groups of theirs bear names of their own, and nobody strikes the
 * brokers. Skipped where none are to be had, with the remedy at the end of the run; a failure when CI is set.
 *
 * ```ts
 * await describeOnKafka('the driver', 3, (brokers) => {
 *   it('…', …);
 * });
 * ```
 */
export async function describeOnKafka(name: string, count: 1 | 3, tests: (brokers: readonly string[]) => void): Promise<void> {
  const brokers = await askForBrokers(`/${count}`);
  describe.skipIf(brokers === null)(name, () => tests(brokers ?? []));
}

/**
 * Tests that start brokers of their own, to strike them, with `startKafka({ from: ['docker', 'java'] })`, or with Java alone
 * where they look at processes and files. Skipped as above.
 */
export async function describeWithOwnKafka(name: string, tests: () => void, from: 'own' | 'java' = 'own'): Promise<void> {
  const possible = await askForBrokers(`/${from}`);
  describe.skipIf(possible === null)(name, tests);
}

/** Asks the desk; null when there are no brokers and nobody insists. */
export async function askForBrokers(wanted: '/1' | '/3' | '/own' | '/java'): Promise<readonly string[] | null> {
  const desk = process.env[DESK_URL];
  if (desk === undefined)
    throw new Error(`${DESK_URL} is not set: tests run under vitest.config.ts, whose setup opens the desk`);
  const answer = (await (await fetch(`${desk}${wanted}`)).json()) as DeskAnswer;
  if ('brokers' in answer) return answer.brokers;
  if (answer.code === 'KAPPA_NO_KAFKA' && !isCi()) return null;
  throw new Error(answer.message);
}

function isCi(): boolean {
  const { CI } = process.env;
  return CI !== undefined && CI !== '' && CI !== 'false';
}
