import { asRetriable, sqlState } from '../../database/database-errors.js';
import type { Database } from '../../database/database.js';
import { KappaError } from '../../kernel/errors.js';

const UNDEFINED_TABLE = '42P01';
const IDENTITY = 'select cluster from log_identity';
/** Of the identity, what tells the applications of one cluster apart. */
const SHOWN_DIGITS = 8;

/** Made with the tables of the log, and never changed. @throws KAPPA_SCHEMA_BEHIND, KAPPA_LOG_IDENTITY */
export async function readLogIdentity(database: Database): Promise<string> {
  const { rows } = await database.query<{ cluster: string }>(IDENTITY).catch((error: unknown) => {
    throw sqlState(error) === UNDEFINED_TABLE ? noLog(database.schema, error) : asRetriable(error, 'the look at the log');
  });
  const cluster = rows[0]?.cluster;
  if (cluster !== undefined) return cluster;
  throw new KappaError('KAPPA_LOG_IDENTITY', `schema ${database.schema} has lost the identity of its log`, {
    nextStep: 'Restore table log_identity from a backup; progress that was stored with it cannot be checked otherwise.',
  });
}

/**
 * What the names of an application's own consumer groups begin with: `kappa-3f2a91c0`. Of the schema alone, two applications on
 * one Kafka cluster would be members of one group, and each would be given partitions that only the other reads.
 */
export async function ownGroupPrefix(database: Database): Promise<string> {
  return `${database.schema}-${(await readLogIdentity(database)).slice(0, SHOWN_DIGITS)}`;
}

function noLog(schema: string, cause: unknown): KappaError {
  return new KappaError('KAPPA_SCHEMA_BEHIND', `schema ${schema} holds no log`, {
    facts: { schema },
    nextStep: 'Run `npx nest-kappa database migrate`, or correct database.schema.',
    cause,
  });
}
