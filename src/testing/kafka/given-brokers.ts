import { KappaError } from '../../kernel/errors.js';
import type { StartedKafka } from './started-kafka.js';
import { brokerCount } from './until-ready.js';

/** The brokers of KAFKA_BROKERS, or null when it names none. */
export function namedBrokers(env: NodeJS.ProcessEnv = process.env): readonly string[] | null {
  const named = (env['KAFKA_BROKERS'] ?? '').split(',').map((address) => address.trim());
  const brokers = named.filter((address) => address !== '');
  return brokers.length > 0 ? brokers : null;
}

/**
 * Brokers that run already, and go on when we leave.
 * @throws KAPPA_KAFKA_TOO_SMALL when the cluster has fewer than `wanted`, KAPPA_KAFKA_UNREACHABLE when it does not answer
 */
export async function givenBrokers(brokers: readonly string[], wanted: number): Promise<StartedKafka> {
  const found = await brokerCount(brokers).catch((error: unknown) => {
    if (error instanceof KappaError) throw error;
    const reason = error instanceof Error ? error.message : String(error);
    throw new KappaError('KAPPA_KAFKA_UNREACHABLE', `the brokers of KAFKA_BROKERS do not answer: ${reason}`, {
      facts: { brokers },
      nextStep: 'Start them, correct KAFKA_BROKERS, or unset it to have brokers started.',
      cause: error,
    });
  });
  if (found < wanted) {
    throw new KappaError(
      'KAPPA_KAFKA_TOO_SMALL',
      `KAFKA_BROKERS names a cluster of ${found}, but ${wanted} brokers are wanted`,
      {
        facts: { brokers, found, wanted },
        nextStep: `Name a cluster of ${wanted}, or unset KAFKA_BROKERS to have brokers started.`,
      },
    );
  }
  const strike = (): Promise<never> => Promise.reject(notOurs(brokers));
  return {
    brokers,
    source: 'environment',
    pids: brokers.map(() => null),
    kill: strike,
    restart: strike,
    pause: strike,
    resume: strike,
    stop: () => Promise.resolve(),
  };
}

function notOurs(brokers: readonly string[]): KappaError {
  return new KappaError('KAPPA_KAFKA_NOT_OURS', 'brokers that KAFKA_BROKERS named are nobody’s to kill or stop here', {
    facts: { brokers },
    nextStep: "Start brokers for it with startKafka({ from: ['docker', 'java'] }).",
  });
}
