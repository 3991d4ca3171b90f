import { MemoryLog } from '../../src/log/memory/memory-log.js';
import { PostgresLog } from '../../src/log/postgres/postgres-log.js';
import { policyOn } from './support/policy-on.js';

policyOn('memory', () => new MemoryLog());
policyOn('PostgreSQL', (database) => new PostgresLog(database));
