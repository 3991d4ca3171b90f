import type { Connection, Queryable } from '../../database/database.js';
import type { Writes } from '../../database/partition-progress.js';
import type { Row, RowKey } from './projection.js';

/** How a column's value looks in TypeScript; chosen from the entity's declared property type and the SQL type. */
export type ColumnValue = 'string' | 'number' | 'bigint' | 'boolean' | 'date' | 'json' | 'bytes' | 'array';

export interface ColumnDefinition {
  /** The entity's property. */
  readonly property: string;
  /** The column's name in table and view. */
  readonly name: string;
  /** PostgreSQL's own spelling, length and scale included: `numeric(12,2)`, `character varying(40)`, `timestamp with time zone`. */
  readonly type: string;
  readonly value: ColumnValue;
  readonly nullable: boolean;
  readonly isKey: boolean;
  /** SQL of the default, for rows of a raw handler; a fold gives every column. */
  readonly default: string | null;
  /** The values of an enum, which is kept as text; null for any other column. */
  readonly oneOf: readonly string[] | null;
}

export interface IndexDefinition {
  /** Names of columns, not of properties. */
  readonly columns: readonly string[];
  readonly where: string | null;
}

/** A projection's table as read from its entity. Unsupported features have been refused by name before this exists. */
export interface TableDefinition {
  readonly columns: readonly ColumnDefinition[];
  /** Properties of the primary columns, in order. */
  readonly key: readonly string[];
  readonly indexes: readonly IndexDefinition[];
}

/**
 * Turns rows into PostgreSQL's text form and back. A row that was written and read again equals the row that was kept in
 * memory: `canonical` gives every value the form in which it would come back (numeric scale, microsecond times, json).
 */
export interface RowCodec {
  readonly table: TableDefinition;
  /** The unique text of a key, from a key or a whole row; equal keys have equal texts. @throws KAPPA_BAD_KEY naming the column. */
  keyText(key: RowKey): string;
  /** PostgreSQL's text of each key column, in key order. @throws KAPPA_BAD_KEY naming the column. */
  keyTexts(key: RowKey): readonly string[];
  /** The row as it would come back from the table. @throws KAPPA_BAD_ROW naming column, value and what is expected. */
  canonical(row: Row): Row;
  /** Text per column, in table order; null is NULL. Of a canonical row. */
  encode(row: Row): readonly (string | null)[];
  decode(texts: readonly (string | null)[]): Row;
  /** Rough size in memory of a row, in bytes. */
  bytesOf(row: Row): number;
}

/** A build's physical table. All statements name their columns; none is prepared by a name shared between builds. */
export interface BuildTable {
  readonly codec: RowCodec;
  /** Quoted and qualified. */
  readonly qualifiedName: string;
  /** Creates the empty table without any index. */
  create(connection: Queryable): Promise<void>;
  /** Adds the primary key when it is not there yet. */
  createKey(connection: Queryable): Promise<void>;
  /** Adds what other indexes the entity declares and are not there yet, and analyses the table unless it is empty. */
  createIndexes(connection: Queryable): Promise<void>;
  drop(connection: Queryable): Promise<void>;
  /** Bulk insert by COPY of rows whose keys are known not to be there. Returns bytes sent. */
  copyIn(connection: Connection, rows: Iterable<Row>): Promise<number>;
  /** One statement for all: insert or replace by key. Needs the key. */
  upsert(connection: Queryable, rows: readonly Row[]): Promise<void>;
  /** One statement for all. */
  remove(connection: Queryable, keys: readonly RowKey[]): Promise<void>;
  /** What `upsert` and `remove` do, to be done in the statement that moves the progress. */
  writes(rows: readonly Row[], gone: readonly RowKey[]): Writes;
  /** The rows of these keys, by key text; one statement. */
  readKeys(connection: Queryable, keys: readonly RowKey[]): Promise<Map<string, Row>>;
}
