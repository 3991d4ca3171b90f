import { byteaArray, intArray, textArray } from '../../database/binary-arrays.js';
import { asRetriable, isConnectionError, sqlState } from '../../database/database-errors.js';
import type { Connection, Database, Statement } from '../../database/database.js';
import { HEADER } from '../../kernel/envelope.js';
import { KappaError, RetriableError, UnknownOutcomeError } from '../../kernel/errors.js';
import type { PartitionKey, Position } from '../../kernel/position.js';
import type { NewRecord } from '../../kernel/record.js';
import type { RecordGroup } from '../record-groups.js';
import type { StoredTopic } from './topic-catalog.js';

const APPEND = 'select append_records($1, $2, $3, $4, $5, $6, $7) as ends';
const NOT_READ_COMMITTED = 'KA001';

export type StoredGroup = RecordGroup<StoredTopic>;

/** One autocommitted round trip: locks are held for no longer than the server needs. */
export async function appendRecords(database: Database, groups: readonly StoredGroup[]): Promise<Position> {
  const { rows } = await inOneRoundTrip<{ ends: string[] }>(
    database,
    { name: 'kappa_write_append', text: APPEND, values: recordParameters(groups) },
    'the append',
  );
  return endsOf(groups, rows[0]?.ends ?? []);
}

/** The seven arrays that `append_records` takes. */
export function recordParameters(groups: readonly StoredGroup[]): Buffer[] {
  const records: NewRecord[] = [];
  for (const group of groups) records.push(...group.records);
  return [
    intArray(groups.map(({ topic }) => topic.id)),
    intArray(groups.map(({ partition }) => partition)),
    intArray(groups.map((group) => group.records.length)),
    textArray(records.map(({ key }) => key)),
    byteaArray(records.map(({ value }) => value)),
    textArray(records.map(({ headers }) => JSON.stringify(headers))),
    textArray(records.map(({ headers }) => headers[HEADER.type] ?? null)),
  ];
}

/** What the function answered, one end for each group. */
export function endsOf(groups: readonly StoredGroup[], ends: readonly string[]): Position {
  const position: Record<PartitionKey, number> = {};
  groups.forEach(({ key }, index) => (position[key] = Number(ends[index])));
  return position;
}

/**
 * Runs a writing statement that commits by itself.
 * @throws RetriableError when it was not sent or the server refused it for a reason that passes; UnknownOutcomeError when the
 *         connection was lost after it was sent.
 */
export async function inOneRoundTrip<Row extends object>(
  database: Database,
  statement: Statement,
  what: string,
): Promise<{ rows: Row[] }> {
  let connection: Connection;
  try {
    connection = await database.connect();
  } catch (error) {
    throw asRetriable(error, what);
  }
  try {
    const result = await connection.query<Row>(statement);
    connection.release();
    return result;
  } catch (error) {
    const lost = isConnectionError(error);
    connection.release(lost);
    if (lost) throw new UnknownOutcomeError(`the connection was lost during ${what}`, { cause: error });
    throw refusalOf(error, what);
  }
}

function refusalOf(error: unknown, what: string): unknown {
  const state = sqlState(error);
  if (state === NOT_READ_COMMITTED) {
    return new KappaError('KAPPA_NOT_READ_COMMITTED', `${what} needs a READ COMMITTED transaction`, {
      nextStep: 'Let the server or the role use default_transaction_isolation = read committed.',
      cause: error,
    });
  }
  if (state === '55P03') {
    return new RetriableError(`${what} waited too long for a partition that another process holds`, {
      facts: { sqlState: state },
      cause: error,
    });
  }
  return asRetriable(error, what);
}
