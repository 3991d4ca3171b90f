import { afterAll, beforeAll, describe, it } from 'vitest';
import { logConformance } from '../../../src/testing/log-conformance.js';
import { LogDatabase } from './log-databases.js';

let database: LogDatabase;
beforeAll(async () => {
  database = await LogDatabase.create();
});
afterAll(() => database.close());

/** Short, so that the suite does not wait for leases. */
const QUICK = { sessionTimeoutMs: 1_500, heartbeatMs: 100 };

logConformance(
  'postgres',
  async () => ({
    open: async () => (await database.client(QUICK)).log,
    close: () => database.closeClients(),
    crash: async (log) => database.of(log).proxy.cut(),
    // Appends and commits are prepared under names of their own; looks at the log are left alone.
    loseNextAnswer: async (log) => {
      void database.of(log).proxy.loseAnswerTo('kappa_write_');
    },
    enforceRetention: async (log) => {
      await database.of(log).log.enforceRetention();
    },
  }),
  { describe, it },
);
