import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Database } from '../../src/database/database.js';
import { jsonCodec } from '../../src/kernel/codec.js';
import { silentLogger } from '../../src/kernel/logger.js';
import type { EventLog } from '../../src/log/event-log.js';
import { MemoryLog } from '../../src/log/memory/memory-log.js';
import { PostgresLog } from '../../src/log/postgres/postgres-log.js';
import { CommandExecutor } from '../../src/modules/aggregates/command-executor.js';
import { beginPolicies } from '../../src/modules/policies/begin-policies.js';
import { PolicyEngine } from '../../src/modules/policies/engine/policy-engine.js';
import { PolicyStore } from '../../src/modules/policies/policy-store.js';
import { createMigratedDatabase } from '../../src/testing/migrated-database.js';
import { recorded, recordsOf } from '../../src/testing/recorded-events.js';
import type { TestDatabase } from '../../src/testing/test-server.js';
import { aggregates, fines, PaymentReceived, sendReceipts, sent, until } from './support/receipts.js';

const noInjection = (): never => {
  throw new Error('nothing is injected here');
};

describe.each<readonly [string, (database: Database) => EventLog]>([
  ['memory', () => new MemoryLog()],
  ['postgres', (database) => new PostgresLog(database)],
])('a policy on the log in %s', (_, open) => {
  let made: TestDatabase;
  let database: Database;
  let outbox: PostgresLog;
  let log: EventLog;
  let commands: CommandExecutor;
  const engines: PolicyEngine[] = [];

  beforeEach(async () => {
    made = await createMigratedDatabase();
    database = new Database({ url: made.url });
    // Commands append to PostgreSQL, whichever driver carries the log.
    outbox = new PostgresLog(database);
    commands = new CommandExecutor({ database, log: outbox, aggregates, inject: noInjection });
    await commands.start();
    log = open(database);
    await log.start();
    await log.createTopic({ name: fines.name, partitions: fines.partitions, retention: null });
  });
  afterEach(async () => {
    for (const engine of engines.splice(0)) await engine.stop();
    await commands.stop();
    await log.stop();
    await outbox.stop();
    await database.stop();
    await made.drop();
  });

  async function run(): Promise<PolicyEngine> {
    const progress = new PolicyStore(database);
    await beginPolicies([sendReceipts], log, progress);
    const policies = [sendReceipts];
    const parts = { database, log, progress, commands, policies, inject: noInjection, codec: jsonCodec, logger: silentLogger };
    const engine = new PolicyEngine(parts);
    engines.push(engine);
    engine.start();
    return engine;
  }

  const payments = (from: number, to: number) =>
    recordsOf(
      sendReceipts,
      Array.from({ length: to }, (__, n) => recorded(`f${n % 7}`, PaymentReceived({ cents: n }))),
    ).slice(from);

  it('handles each event once, over restarts and with several owners', async () => {
    await log.append(payments(0, 100));
    const first = await run();
    await until(async () => (await sent({ log: outbox })).length > 20);
    await first.stop();
    await Promise.all([run(), run()]);
    await log.append(payments(100, 200));
    await until(async () => (await sent({ log: outbox })).length === 200);
    const texts = await sent({ log: outbox }, 'f3');
    expect(texts).toEqual(Array.from({ length: texts.length }, (__, n) => `${3 + 7 * n} #${n + 1}`));
  });
});
