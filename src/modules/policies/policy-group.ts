import type { Database } from '../../database/database.js';
import { ownGroupPrefix } from '../../log/postgres/log-identity.js';

/** The consumer group of a policy's processes. */
export async function policyGroup(database: Database, name: string): Promise<string> {
  return `${await ownGroupPrefix(database)}.policy-${name}`;
}
