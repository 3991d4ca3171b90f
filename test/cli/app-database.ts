import type { Database } from '../../src/database/database.js';
import { openKappa } from '../../src/modules/kappa/open-kappa.js';
import type { KappaRuntime } from '../../src/modules/kappa/kappa-runtime.js';
import { createTestDatabase, type TestDatabase } from '../../src/testing/test-server.js';
import { CreateFine, fine, ReceivePayment } from './app/src/fines.js';

export interface AppDatabase {
  readonly url: string;
  /** For the command: the fixture names no database. */
  readonly env: Readonly<Record<string, string>>;
  readonly database: Database;
  /** Appends `count` fines with a payment each, like a running application. */
  addFines(count: number, from?: number): Promise<void>;
  pay(fine: string, cents: number): Promise<void>;
  drop(): Promise<void>;
}

/** A database of its own with the fixture's schema, topic and, where asked, some fines. */
export async function appDatabase(fines = 0): Promise<AppDatabase> {
  const made: TestDatabase = await createTestDatabase();
  const writer: KappaRuntime = await openKappa(
    { database: { url: made.url } },
    { aggregates: [fine] },
    { engines: false, env: {} },
  );
  const addFines = async (count: number, from = 0): Promise<void> => {
    const ids = Array.from({ length: count }, (_, index) => `fine-${from + index}`);
    await Promise.all(
      ids.map(async (id, index) => {
        await writer.commands.execute(new CreateFine(id, 1_000 + index));
        await writer.commands.execute(new ReceivePayment(id, 250));
      }),
    );
  };
  await addFines(fines);
  return {
    url: made.url,
    env: { DATABASE_URL: made.url },
    database: writer.database,
    addFines,
    pay: async (id, cents) => {
      await writer.commands.execute(new ReceivePayment(id, cents));
    },
    drop: async () => {
      await writer.stop();
      await made.drop();
    },
  };
}
