import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Database } from '../../../src/database/database.js';
import { topicName } from '../../../src/kernel/names.js';
import { PostgresLog } from '../../../src/log/postgres/postgres-log.js';
import { record } from '../../../src/testing/log-conformance/log-under-test.js';
import { createTestDatabase, type TestDatabase } from '../../../src/testing/test-server.js';
import { LogDatabase } from './log-databases.js';

describe('a PostgreSQL log', () => {
  let test: TestDatabase;
  let database: Database;

  beforeEach(async () => {
    test = await createTestDatabase();
    database = new Database({ url: test.url });
  });

  afterEach(async () => {
    await database.stop();
    await test.drop();
  });

  it('says how to create its tables when they are not there', async () => {
    await expect(new PostgresLog(database).start()).rejects.toMatchObject({
      code: 'KAPPA_SCHEMA_BEHIND',
      nextStep: expect.stringContaining('nest-kappa database migrate') as string,
    });
  });

  it('refuses to go on under another identity', async () => {
    const log = await LogDatabase.in(test);
    await database.query('delete from log_identity');
    await expect(log.client()).rejects.toMatchObject({ code: 'KAPPA_LOG_IDENTITY' });
    await log.closeClients();
  });

  it('refuses an append whose connections are not READ COMMITTED, with what to change', async () => {
    const logs = await LogDatabase.in(test);
    const strict = new URL(test.url);
    strict.searchParams.set('options', '-c search_path=kappa -c default_transaction_isolation=serializable');
    const other = new Database({ url: strict.href });
    const log = new PostgresLog(other);
    try {
      const { log: creator } = await logs.client();
      const topic = topicName('t');
      await creator.createTopic({ name: topic, partitions: 1, retention: null });
      await expect(log.append([record(topic, 0, 'x')])).rejects.toMatchObject({ code: 'KAPPA_NOT_READ_COMMITTED' });
    } finally {
      await log.stop();
      await other.stop();
      await logs.closeClients();
    }
  });
});
