import { describe, it } from 'vitest';
import { logConformance } from '../../../src/testing/log-conformance.js';
import { describeOnKafka } from '../../support/kafka.js';
import { enforceRetention, KafkaClients } from './kafka-clients.js';
import { END_TRANSACTION, PRODUCE } from './wire-tap.js';

/** The suite on a cluster of so many brokers. */
export async function conformanceOn(count: 1 | 3): Promise<void> {
  await describeOnKafka(`on ${count} broker${count === 1 ? '' : 's'}`, count, (brokers) => {
    logConformance(
      `kafka ×${count}`,
      async () => {
        const clients = new KafkaClients(brokers);
        return {
          open: async () => (await clients.open()).log,
          close: () => clients.close(),
          reportsDifferences: true,
          crash: async (log) => clients.of(log).wire.cut(),
          loseNextAnswer: async (log) => void clients.of(log).wire.loseAnswerTo(PRODUCE, END_TRANSACTION),
          enforceRetention: (log) => enforceRetention(log, brokers),
        };
      },
      { describe, it },
    );
  });
}
