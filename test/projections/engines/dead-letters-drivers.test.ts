import { MemoryCluster } from '../../../src/log/memory/memory-cluster.js';
import { MemoryLog } from '../../../src/log/memory/memory-log.js';
import { deadLettersOn } from './dead-letters-on.js';
import { inPostgres } from './house.js';
import { accounts } from './ledger.js';

deadLettersOn('memory', () => {
  const cluster = new MemoryCluster();
  return { open: () => new MemoryLog({ cluster }), accounts: accounts.name };
});
deadLettersOn('PostgreSQL', () => inPostgres);
