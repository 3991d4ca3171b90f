import { qualified } from '../../database/identifiers.js';
import { keptName } from '../../database/kept-plans.js';
import { TableSizes } from '../../database/table-sizes.js';
import type { ColumnDefinition, TableDefinition } from '../projections/table.js';
import type { LiveBuild } from './live-build.js';
import { rowsText, rowText } from './read-statements.js';

/** Rows of one statement at most: where each has to come from a disk, they come one after the other. */
export const MOST_ROWS = 16;

/** What is sent; without a name it is planned for this once, and its last column tells sizes. */
export interface RowQuery {
  readonly text: string;
  readonly name?: string;
}

/** A statement for so many keys. */
interface KeptStatement {
  readonly rows: number;
  readonly sizing: RowQuery;
  readonly text: string;
  /** The name without sizes. */
  readonly name: string;
}

/**
 * The statements that read one row of one live build, or several, kept by the server under a name: planning takes it longer than
 * reading. Sizes of its tables, see {@link TableSizes}, are looked at by the read that comes when they were last seen a while ago,
 * which runs without a name itself.
 */
export class RowStatement {
  /** For 1, 2, 4 … keys: a plan for all keys is made for as many as the text has. */
  readonly #statements: readonly KeptStatement[];
  readonly #parts: number;
  readonly #sizes: TableSizes;

  constructor(schema: string, live: LiveBuild, table: TableDefinition, key: readonly ColumnDefinition[]) {
    this.#parts = key.length;
    this.#sizes = new TableSizes([live.tableName, 'progress'].map((name) => qualified(schema, name)));
    const { column } = this.#sizes;
    this.#statements = [
      keptStatement('kappa_row', 1, (sizes) => rowText(schema, live, table, key, sizes), column),
      ...[2, 4, 8, MOST_ROWS].map((rows) =>
        keptStatement(`kappa_rows_${rows}`, rows, (sizes) => rowsText(schema, live, table, key, rows, sizes), column),
      ),
    ];
  }

  /** For so many rows, at most {@link MOST_ROWS}; `now` in milliseconds, of a clock that is never put back. */
  query(rows: number, now: number): RowQuery {
    const { text, name, sizing } = this.#statementFor(rows);
    const classes = this.#sizes.classes(now);
    return classes === null ? sizing : { text, name: `${name}_${classes}` };
  }

  /** Parameters of a query for these keys. Where it has room for more, those are null, which is no row's key and looked up nowhere. */
  values(projection: string, keys: readonly (readonly string[])[]): readonly (string | null)[] {
    const unused = (this.#statementFor(keys.length).rows - keys.length) * this.#parts;
    return [projection, ...keys.flat(), ...new Array<null>(unused).fill(null)];
  }

  /** What a query without a name told: bytes, separated by commas. */
  sizesSeen(bytes: string, now: number): void {
    this.#sizes.seen(bytes, now);
  }

  #statementFor(rows: number): KeptStatement {
    return this.#statements.find((statement) => statement.rows >= rows) as KeptStatement;
  }
}

function keptStatement(prefix: string, rows: number, textOf: (sizes: string | null) => string, sizes: string): KeptStatement {
  const text = textOf(null);
  return { rows, sizing: { text: textOf(sizes) }, text, name: keptName(prefix, text) };
}
