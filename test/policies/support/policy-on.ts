import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { policy, topic } from '../../../src/index.js';
import { Database } from '../../../src/database/database.js';
import { DeadLetterStore } from '../../../src/database/dead-letters/dead-letter-store.js';
import { jsonCodec } from '../../../src/kernel/codec.js';
import { silentLogger } from '../../../src/kernel/logger.js';
import type { EventLog } from '../../../src/log/event-log.js';
import { PostgresLog } from '../../../src/log/postgres/postgres-log.js';
import { CommandExecutor } from '../../../src/modules/aggregates/command-executor.js';
import { beginPolicies } from '../../../src/modules/policies/begin-policies.js';
import { PolicyEngine } from '../../../src/modules/policies/engine/policy-engine.js';
import { policyOwner } from '../../../src/modules/policies/policy-owner.js';
import { PolicyStore } from '../../../src/modules/policies/policy-store.js';
import { uniqueName } from '../../../src/testing/log-conformance/log-under-test.js';
import { createMigratedDatabase } from '../../../src/testing/migrated-database.js';
import { recorded, recordsOf } from '../../../src/testing/recorded-events.js';
import type { TestDatabase } from '../../../src/testing/test-server.js';
import { aggregates, PaymentReceived, SendReceipt, sent, until } from './receipts.js';

const noInjection = (): never => {
  throw new Error('nothing is injected here');
};

/** What must hold of a policy whichever driver carries the log; each test has a topic of its own. */
export function policyOn(name: string, open: (database: Database) => EventLog): void {
  describe(`a policy on the log in ${name}`, () => {
    let made: TestDatabase;
    let database: Database;
    let outbox: PostgresLog;
    let log: EventLog;
    let commands: CommandExecutor;
    let fines: ReturnType<typeof newFines>;
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
      fines = newFines();
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

    const policyOf = (fails: (cents: number) => boolean = () => false) =>
      policy({ name: 'send-receipts', from: [fines], startAt: 'beginning', deadLetters: { retries: 1 } }).on(
        PaymentReceived,
        (e) => {
          if (fails(e.data.cents)) throw new Error(`no receipt for ${e.data.cents}`);
          return new SendReceipt(e.stream.id, `${e.data.cents} #${e.stream.version}`);
        },
      );

    async function run(definition = policyOf()): Promise<PolicyEngine> {
      const progress = new PolicyStore(database);
      const policies = [definition];
      await beginPolicies(policies, log, progress);
      const parts = {
        database,
        log,
        progress,
        commands,
        policies,
        inject: noInjection,
        codec: jsonCodec,
        logger: silentLogger,
      };
      const engine = new PolicyEngine(parts);
      engines.push(engine);
      engine.start();
      return engine;
    }

    const payments = (from: number, to: number) =>
      recordsOf(
        policyOf(),
        Array.from({ length: to }, (_, n) => recorded(`f${n % 7}`, PaymentReceived({ cents: n }))),
      ).slice(from);
    /** What is paid to one fine, as its receipts say it. */
    const textsOf = (fine: number, count: number) => Array.from({ length: count }, (_, n) => `${fine + 7 * n} #${n + 1}`);

    it('handles each event once, over restarts and with several owners', async () => {
      await log.append(payments(0, 100));
      const first = await run();
      await until(async () => (await sent({ log: outbox })).length > 20);
      await first.stop();
      await Promise.all([run(), run()]);
      await log.append(payments(100, 200));
      await until(async () => (await sent({ log: outbox })).length === 200);
      const texts = await sent({ log: outbox }, 'f3');
      expect(texts).toEqual(textsOf(3, texts.length));
    });

    it('sets an event aside with those of its key behind it, and takes them in after a fix, in order', async () => {
      let corrected = false;
      const letters = new DeadLetterStore(database);
      const owners = [policyOwner('send-receipts')];
      const standing = () => letters.list({ owners, states: ['letter', 'follower'], limit: 100 });
      await log.append(payments(0, 70));
      await run(policyOf((cents) => !corrected && cents === 24));
      await until(async () => (await sent({ log: outbox })).length === 63);
      await until(async () => (await standing()).length === 7);
      expect((await standing()).map(({ key, state, attempts }) => [key, state, attempts])).toEqual([
        ['f3', 'letter', 2],
        ...Array.from({ length: 6 }, () => ['f3', 'follower', 0]),
      ]);
      expect(await sent({ log: outbox }, 'f3')).toEqual(textsOf(3, 3));

      corrected = true;
      const [letter] = await standing();
      await letters.request([letter?.id ?? 0], 'retry', { by: 'ann', why: null });
      await log.append(payments(70, 140));
      await until(async () => (await sent({ log: outbox })).length === 140);
      for (let fine = 0; fine < 7; fine += 1) expect(await sent({ log: outbox }, `f${fine}`)).toEqual(textsOf(fine, 20));
      await until(async () => (await standing()).length === 0);
    });
  });
}

function newFines() {
  return topic(uniqueName('fines'), { partitions: 4, events: [PaymentReceived] });
}
