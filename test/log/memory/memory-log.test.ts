import { describe, it } from 'vitest';
import { MemoryCluster } from '../../../src/log/memory/memory-cluster.js';
import { MemoryLog } from '../../../src/log/memory/memory-log.js';
import { logConformance } from '../../../src/testing/log-conformance.js';

logConformance(
  'memory',
  async () => {
    const cluster = new MemoryCluster();
    const opened: MemoryLog[] = [];
    return {
      open: async () => {
        const log = new MemoryLog({ cluster });
        await log.start();
        opened.push(log);
        return log;
      },
      close: async () => {
        for (const log of opened) await log.stop();
      },
      enforceRetention: async (log) => {
        await (log as MemoryLog).enforceRetention();
      },
    };
  },
  { describe, it },
);
