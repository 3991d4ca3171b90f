import { once } from 'node:events';
import { from as copyFrom } from 'pg-copy-streams';
import type { Connection, Queryable } from '../../database/database.js';
import { ADVANCED, FIRST_WRITTEN, type Writes } from '../../database/partition-progress.js';
import { qualified, quoteIdentifier } from '../../database/identifiers.js';
import type { Row, RowKey } from './projection.js';
import { createRowCodec } from './row-codec.js';
import type { BuildTable, ColumnDefinition, RowCodec, TableDefinition } from './table.js';
import { arrayLiteral } from './values/array.js';

/** What is handed to the socket at once: large enough that the call is cheap, small enough that backpressure is felt. */
const COPY_CHUNK_CHARACTERS = 64 * 1024;

/**
 * Room for later versions of a row on its own page (HOT updates touch no index); a projection's rows are mostly written again.
 */
const FILLFACTOR = 90;

const HAS_KEY = `select 1 from pg_index where indrelid = to_regclass($1) and indisprimary`;
const HAS_INDEX = `select 1 from pg_class where oid = to_regclass($1)`;

/** The physical table of a build. Its statements are unnamed: a plan is never shared between builds. */
export function createBuildTable(schema: string, tableName: string, table: TableDefinition): BuildTable {
  return new PostgresBuildTable(schema, tableName, table);
}

class PostgresBuildTable implements BuildTable {
  readonly codec: RowCodec;
  readonly qualifiedName: string;
  readonly #sql: TableStatements;

  constructor(
    private readonly schema: string,
    private readonly tableName: string,
    table: TableDefinition,
  ) {
    this.codec = createRowCodec(table);
    this.qualifiedName = qualified(schema, tableName);
    this.#sql = tableStatements(this.qualifiedName, table);
  }

  async create(connection: Queryable): Promise<void> {
    await connection.query(this.#sql.create);
  }

  async createKey(connection: Queryable): Promise<void> {
    const { rows } = await connection.query(HAS_KEY, [this.qualifiedName]);
    if (rows.length === 0) await connection.query(this.#sql.createKey);
  }

  async createIndexes(connection: Queryable): Promise<void> {
    for (const [at, index] of this.codec.table.indexes.entries()) {
      const name = withSuffix(this.tableName, `_i${at + 1}`);
      const { rows } = await connection.query(HAS_INDEX, [qualified(this.schema, name)]);
      if (rows.length > 0) continue;
      const where = index.where === null ? '' : ` where ${index.where}`;
      await connection.query(
        `create index ${quoteIdentifier(name)} on ${this.qualifiedName} (${index.columns.map(quoteIdentifier).join(', ')})${where}`,
      );
    }
    // An empty table that was analysed counts as small for good: plans of it that are kept would scan it when it has grown.
    const { rows } = await connection.query(`select 1 from ${this.qualifiedName} limit 1`);
    if (rows.length > 0) await connection.query(`analyze ${this.qualifiedName}`);
  }

  async drop(connection: Queryable): Promise<void> {
    await connection.query(`drop table if exists ${this.qualifiedName}`);
  }

  async copyIn(connection: Connection, rows: Iterable<Row>): Promise<number> {
    const stream = connection.raw.query(copyFrom(this.#sql.copy));
    // The error is also what `finished` rejects with; without a handler it would be an unhandled one while rows are made.
    const finished = new Promise<void>((resolve, reject) => stream.once('finish', resolve).once('error', reject));
    finished.catch(() => undefined);
    let sent = 0;
    const send = async (text: string): Promise<void> => {
      const chunk = Buffer.from(text);
      sent += chunk.length;
      if (!stream.write(chunk)) await Promise.race([once(stream, 'drain'), finished]);
    };
    try {
      let text = '';
      for (const row of rows) {
        text += copyLine(this.codec.encode(row));
        if (text.length < COPY_CHUNK_CHARACTERS) continue;
        await send(text);
        text = '';
      }
      if (text !== '') await send(text);
    } catch (error) {
      stream.destroy(error instanceof Error ? error : new Error(String(error)));
      await finished.catch(() => undefined);
      throw error;
    }
    stream.end();
    await finished;
    return sent;
  }

  async upsert(connection: Queryable, rows: readonly Row[]): Promise<void> {
    if (rows.length === 0) return;
    await connection.query(this.#sql.upsert(1), this.#columnArrays(rows));
  }

  async remove(connection: Queryable, keys: readonly RowKey[]): Promise<void> {
    if (keys.length === 0) return;
    await connection.query(this.#sql.remove(1), this.#keyArrays(keys));
  }

  writes(rows: readonly Row[], gone: readonly RowKey[]): Writes {
    const values = rows.length > 0 ? this.#columnArrays(rows) : [];
    const statements = rows.length > 0 ? [this.#sql.upsert(FIRST_WRITTEN, ADVANCED)] : [];
    if (gone.length === 0) return { statements, values };
    const remove = this.#sql.remove(FIRST_WRITTEN + values.length, ADVANCED);
    return { statements: [...statements, remove], values: [...values, ...this.#keyArrays(gone)] };
  }

  async readKeys(connection: Queryable, keys: readonly RowKey[]): Promise<Map<string, Row>> {
    const found = new Map<string, Row>();
    if (keys.length === 0) return found;
    const { rows } = await connection.query<Record<string, string | null>>(this.#sql.readKeys, this.#keyArrays(keys));
    const names = this.codec.table.columns.map((_, at) => `c${at}`);
    for (const texts of rows) {
      const row = this.codec.decode(names.map((name) => texts[name] ?? null));
      found.set(this.codec.keyText(row), row);
    }
    return found;
  }

  #columnArrays(rows: readonly Row[]): string[] {
    return columnsAsArrays(
      rows.map((row) => this.codec.encode(row)),
      this.codec.table.columns.length,
    );
  }

  #keyArrays(keys: readonly RowKey[]): string[] {
    return columnsAsArrays(
      keys.map((key) => this.codec.keyTexts(key)),
      this.codec.table.key.length,
    );
  }
}

interface TableStatements {
  readonly create: string;
  readonly createKey: string;
  readonly copy: string;
  /** Its parameters are numbered from `first` on. */
  upsert(first: number, onlyWhere?: string): string;
  remove(first: number, onlyWhere?: string): string;
  readonly readKeys: string;
}

/** All statements of a table, made once. */
function tableStatements(table: string, { columns, key }: TableDefinition): TableStatements {
  const keys = key.map((property) => columns.find((column) => column.property === property) as ColumnDefinition);
  const rest = columns.filter((column) => !column.isKey);
  const names = (of: readonly ColumnDefinition[]): string => of.map((column) => quoteIdentifier(column.name)).join(', ');
  // One text[] a column, whatever its type: an array of arrays would be flattened by unnest.
  const given = (of: readonly ColumnDefinition[], first = 1): string =>
    `unnest(${of.map((_, at) => `$${at + first}::text[]`).join(', ')}) as given(${of.map((_, at) => `c${at}`).join(', ')})`;
  const typed = (of: readonly ColumnDefinition[]): string => of.map((column, at) => `given.c${at}::${column.type}`).join(', ');
  const matches = keys.map((column, at) => `t.${quoteIdentifier(column.name)} = given.c${at}::${column.type}`).join(' and ');
  const replace =
    rest.length === 0
      ? 'nothing'
      : `update set ${rest.map((column) => `${quoteIdentifier(column.name)} = excluded.${quoteIdentifier(column.name)}`).join(', ')}`;
  return {
    create: `create table ${table} (\n  ${columns.map(columnSql).join(',\n  ')}\n) with (fillfactor = ${FILLFACTOR})`,
    createKey: `alter table ${table} add primary key (${names(keys)})`,
    copy: `copy ${table} (${names(columns)}) from stdin`,
    upsert: (first, onlyWhere = 'true') =>
      `insert into ${table} (${names(columns)}) select ${typed(columns)} from ${given(columns, first)} where ${onlyWhere} on conflict (${names(keys)}) do ${replace}`,
    remove: (first, onlyWhere = 'true') =>
      `delete from ${table} t using ${given(keys, first)} where ${matches} and ${onlyWhere}`,
    readKeys: `select ${columns.map((column, at) => `t.${quoteIdentifier(column.name)}::text as c${at}`).join(', ')} from ${given(keys)} join ${table} t on ${matches}`,
  };
}

/**
 * Keys of text are compared by bytes: cheaper, the same on every server, and their order does not change with the system's
 * locale library, which cursors and key ranges rest on.
 */
function columnSql(column: ColumnDefinition): string {
  const collation = column.isKey && /^(text|character varying)/.test(column.type) ? ' collate "C"' : '';
  const byDefault = column.default === null ? '' : ` default ${column.default}`;
  return `${quoteIdentifier(column.name)} ${column.type}${collation}${byDefault}${column.nullable ? '' : ' not null'}`;
}

/** Rows of texts, turned: one array literal a column. */
function columnsAsArrays(rows: readonly (readonly (string | null)[])[], width: number): string[] {
  const literals: string[] = [];
  for (let at = 0; at < width; at += 1) literals.push(arrayLiteral(rows.map((texts) => texts[at] ?? null)));
  return literals;
}

/** A line of COPY's text format. */
function copyLine(texts: readonly (string | null)[]): string {
  let line = '';
  for (let at = 0; at < texts.length; at += 1) {
    if (at > 0) line += '\t';
    const text = texts[at];
    line += text === null || text === undefined ? '\\N' : needsEscape(text) ? escapeCopy(text) : text;
  }
  return `${line}\n`;
}

function needsEscape(text: string): boolean {
  for (let i = 0; i < text.length; i += 1) {
    const code = text.charCodeAt(i);
    if (code === 92 || (code < 14 && (code === 9 || code === 10 || code === 13))) return true;
  }
  return false;
}

function escapeCopy(text: string): string {
  return text.replaceAll('\\', '\\\\').replaceAll('\n', '\\n').replaceAll('\r', '\\r').replaceAll('\t', '\\t');
}

/** A name with a suffix, cut in front of it to what PostgreSQL keeps. Table names are ASCII. */
function withSuffix(name: string, suffix: string): string {
  return name.slice(0, 63 - suffix.length) + suffix;
}
