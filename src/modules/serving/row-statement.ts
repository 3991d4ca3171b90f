import { createHash } from 'node:crypto';
import type { ColumnDefinition, TableDefinition } from '../projections/table.js';
import type { LiveBuild } from './live-build.js';
import { rowsText, rowText } from './read-statements.js';

/** How long the size of a table is trusted. Looking costs a plan made anew: 0.25 ms, once in this time. */
const SIZE_TRUSTED_MS = 1_000;
const PAGE_BYTES = 8_192;

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
  kept: RowQuery;
  /** The name without sizes. */
  readonly name: string;
}

/**
 * The statements that read one row of one live build, or several, kept by the server under a name: planning takes it longer than
 * reading.
 *
 * A kept plan is never made anew because a table has grown: what was planned as a scan of one page would scan a million rows until
 * they are analysed. So the name bears the size class of the tables, four times larger each; in the next class the statement has
 * another name and is planned for what is there. Sizes are looked at by the read that comes when they were last seen a while ago,
 * which runs without a name itself: no name is chosen by sizes seen longer ago than {@link SIZE_TRUSTED_MS}.
 */
export class RowStatement {
  /** For 1, 2, 4 … keys: a plan for all keys is made for as many as the text has. */
  readonly #statements: readonly KeptStatement[];
  readonly #parts: number;
  #sizes: string | null = null;
  #seenAt = Number.NEGATIVE_INFINITY;

  constructor(schema: string, live: LiveBuild, table: TableDefinition, key: readonly ColumnDefinition[]) {
    this.#parts = key.length;
    this.#statements = [
      keptStatement('kappa_row', 1, (withSizes) => rowText(schema, live, table, key, withSizes)),
      ...[2, 4, 8, MOST_ROWS].map((rows) =>
        keptStatement(`kappa_rows_${rows}`, rows, (withSizes) => rowsText(schema, live, table, key, rows, withSizes)),
      ),
    ];
  }

  /** For so many rows, at most {@link MOST_ROWS}; `now` in milliseconds, of a clock that is never put back. */
  query(rows: number, now: number): RowQuery {
    const { kept, sizing } = this.#statementFor(rows);
    return now - this.#seenAt < SIZE_TRUSTED_MS ? kept : sizing;
  }

  /** Parameters of a query for these keys. Where it has room for more, those are null, which is no row's key and looked up nowhere. */
  values(projection: string, keys: readonly (readonly string[])[]): readonly (string | null)[] {
    const unused = (this.#statementFor(keys.length).rows - keys.length) * this.#parts;
    return [projection, ...keys.flat(), ...new Array<null>(unused).fill(null)];
  }

  /** What a query without a name told: bytes, separated by commas. */
  sizesSeen(bytes: string, now: number): void {
    this.#seenAt = now;
    const sizes = bytes.split(',').map(sizeClass).join('_');
    if (this.#sizes === sizes) return;
    this.#sizes = sizes;
    for (const statement of this.#statements)
      statement.kept = { text: statement.kept.text, name: `${statement.name}_${sizes}` };
  }

  #statementFor(rows: number): KeptStatement {
    return this.#statements.find((statement) => statement.rows >= rows) as KeptStatement;
  }
}

function keptStatement(name: string, rows: number, text: (withSizes: boolean) => string): KeptStatement {
  const kept = text(false);
  const hash = createHash('sha256').update(kept).digest('base64url').slice(0, 16);
  return { rows, sizing: { text: text(true) }, kept: { text: kept }, name: `${name}_${hash}` };
}

/** 0 for up to two pages, then one more for every four times as many. */
function sizeClass(bytes: string): number {
  return Math.floor(Math.log2(1 + Number(bytes) / PAGE_BYTES) / 2);
}
