import type { Connection, Database } from '../../../database/database.js';

const LOCK_CREATION = `select pg_advisory_xact_lock(hashtextextended('nest-kappa builds ' || $1, 0))`;
// This connection idles while `decide` works on others; ended meanwhile, it would let a second process decide, too. Sent after the
// lock was taken, for a statement with parameters keeps its snapshot until the next statement, and would hold dead rows back.
const MAY_IDLE = 'set local idle_in_transaction_session_timeout = 0';

/** Only one process at a time decides which builds there are to be: two that start at one moment must not both make the first. */
export async function underCreationLock<T>(database: Database, decide: () => Promise<T>): Promise<T> {
  return database.transaction(async (connection: Connection) => {
    await connection.query(LOCK_CREATION, [database.schema]);
    await connection.query(MAY_IDLE);
    return decide();
  });
}
