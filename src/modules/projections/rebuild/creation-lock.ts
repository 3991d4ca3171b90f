import type { Connection, Database } from '../../../database/database.js';

const LOCK_CREATION = `select pg_advisory_xact_lock(hashtextextended('nest-kappa builds ' || $1, 0))`;

/** Only one process at a time decides which builds there are to be: two that start at one moment must not both make the first. */
export async function underCreationLock<T>(database: Database, decide: () => Promise<T>): Promise<T> {
  return database.transaction(async (connection: Connection) => {
    await connection.query(LOCK_CREATION, [database.schema]);
    return decide();
  });
}
