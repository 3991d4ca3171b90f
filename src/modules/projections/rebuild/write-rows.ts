import type { Connection, Queryable } from '../../../database/database.js';
import { RetriableError } from '../../../kernel/errors.js';
import type { RowEntry } from '../fold/row-window.js';
import type { Row } from '../projection.js';
import { keyOf } from '../runner/fold-batch.js';
import type { BuildTable } from '../table.js';

/** Rows of one upsert or remove. */
const CHUNK = 5_000;

/** Rows of a window by what becomes of them: the table does not have them yet, it may have them, it must have them no more. */
export type ChangedRows = Readonly<Record<'fresh' | 'changed' | 'gone', readonly RowEntry[]>>;

/** Brings a window's rows into the table; `inTime` is called before each statement. */
export async function writeRows(
  connection: Connection,
  table: BuildTable,
  { fresh, changed, gone }: ChangedRows,
  inTime: () => Promise<void>,
): Promise<void> {
  if (fresh.length > 0) {
    await inTime();
    await table.copyIn(connection, rowsOf(fresh));
  }
  for (let at = 0; at < changed.length; at += CHUNK) {
    await inTime();
    await table.upsert(connection, [...rowsOf(changed.slice(at, at + CHUNK))]);
  }
  for (let at = 0; at < gone.length; at += CHUNK) {
    await inTime();
    await table.remove(connection, gone.slice(at, at + CHUNK).map(keyOf));
  }
}

export async function unlimited(): Promise<void> {
  // However long it takes.
}

/** Called before each statement of a transaction: gives it the time that is left. */
export function limited(connection: Queryable, withinMs: number): () => Promise<void> {
  const until = performance.now() + withinMs;
  return async () => {
    const left = Math.ceil(until - performance.now());
    if (left <= 0) throw new RetriableError(`the rows of a window were not written within ${withinMs} ms`);
    await connection.query(`set local statement_timeout = ${left}`);
  };
}

function* rowsOf(entries: readonly RowEntry[]): Iterable<Row> {
  for (const { row } of entries) if (row !== null) yield row;
}
