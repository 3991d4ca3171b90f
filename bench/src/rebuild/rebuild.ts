import type { Bench } from '../bench.js';
import { startServers } from '../servers.js';
import { rebuildFines } from './fines.js';
import { rebuildGenerated } from './generated.js';

/** From a log to its tables: beside what is written by hand, beside peers, and beside what the machine can do at all. */
export const rebuild: Bench = {
  logs: ['postgres'],
  run: async (settings) => {
    const servers = await startServers('postgres');
    try {
      const { environment } = servers;
      return { environment, results: [...(await rebuildGenerated(servers, settings)), await rebuildFines(settings)] };
    } finally {
      await servers.stop();
    }
  },
};
