import type { Bench } from '../bench.js';
import { startServers } from '../servers.js';
import { rebuildFines } from './fines.js';
import { rebuildGenerated } from './generated.js';
import { rebuildOwnRows } from './own-rows.js';
import { rebuildBesidePeers } from './peers.js';

/** From a log to its tables: beside what is written by hand, beside peers, and beside what the machine can do at all. */
export const rebuild: Bench = {
  logs: ['postgres'],
  run: async (settings) => {
    const servers = await startServers('postgres');
    try {
      const { environment } = servers;
      const generated = await rebuildGenerated(servers, settings);
      const ownRows = await rebuildOwnRows(servers, settings);
      const peers = await rebuildBesidePeers(servers, settings);
      return { environment, results: [...generated, ownRows, ...peers, await rebuildFines(settings)] };
    } finally {
      await servers.stop();
    }
  },
};
