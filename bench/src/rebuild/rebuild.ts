import type { Bench, BenchSettings } from '../bench.js';
import type { BenchResult } from '../result.js';
import { startServers, type Servers } from '../servers.js';
import { rebuildFines } from './fines.js';
import { rebuildGenerated } from './generated.js';
import { rebuildFromKafka } from './on-kafka.js';
import { rebuildOwnRows } from './own-rows.js';
import { rebuildBesidePeers } from './peers.js';

/** From a log to its tables: beside what is written by hand, beside peers, and beside what the machine can do at all. */
export const rebuild: Bench = {
  logs: ['postgres', 'kafka'],
  run: async (settings) => {
    const servers = await startServers(settings.log);
    try {
      const { environment } = servers;
      if (settings.log === 'kafka') return { environment, results: await rebuildFromKafka(servers, settings) };
      return { environment, results: await rebuildFromPostgres(servers, settings) };
    } finally {
      await servers.stop();
    }
  },
};

async function rebuildFromPostgres(servers: Servers, settings: BenchSettings): Promise<readonly BenchResult[]> {
  const generated = await rebuildGenerated(servers, settings);
  const ownRows = await rebuildOwnRows(servers, settings);
  const peers = await rebuildBesidePeers(servers, settings);
  return [...generated, ownRows, ...peers, await rebuildFines(settings)];
}
