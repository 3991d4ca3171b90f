import { createHash } from 'node:crypto';
import { arrayLiteral } from '../projections/values/array.js';
import type { ColumnDefinition, TableDefinition } from '../projections/table.js';
import type { LiveBuild } from './live-build.js';
import { rowsText, rowText } from './read-statements.js';

/** How long the size of a table is trusted. Looking costs a plan made anew: 0.25 ms, once in this time. */
const SIZE_TRUSTED_MS = 1_000;
const PAGE_BYTES = 8_192;

/** What is sent; without a name it is planned for this once, and its last column tells sizes. */
export interface RowQuery {
  readonly text: string;
  readonly name?: string;
}

/** One text, with and without sizes. */
interface KeptText {
  readonly text: string;
  readonly sizing: RowQuery;
  readonly hash: string;
}

/**
 * The statements that read one row of one live build, or several, kept by the server under a name: planning takes it longer than
 * reading.
 *
 * A kept plan is never made anew because a table has grown: what was planned as a scan of one page would scan a million rows until
 * they are analysed. So the name bears the size class of the tables, four times larger each; in the next class the statement has
 * another name and is planned for what is there. Sizes are looked at by the read that comes when they were last seen a while ago,
 * which runs without a name itself: no read is planned for sizes older than {@link SIZE_TRUSTED_MS}.
 */
export class RowStatement {
  readonly #one: KeptText;
  readonly #many: KeptText;
  #sizes: string | null = null;
  #keptOne: RowQuery;
  #keptMany: RowQuery;
  #seenAt = Number.NEGATIVE_INFINITY;

  constructor(schema: string, live: LiveBuild, table: TableDefinition, key: readonly ColumnDefinition[]) {
    this.#one = keptText((withSizes) => rowText(schema, live, table, key, withSizes));
    this.#many = keptText((withSizes) => rowsText(schema, live, table, key, withSizes));
    this.#keptOne = this.#one.sizing;
    this.#keptMany = this.#many.sizing;
  }

  /** For so many rows; `now` in milliseconds, of a clock that is never put back. */
  query(rows: number, now: number): RowQuery {
    const trusted = now - this.#seenAt < SIZE_TRUSTED_MS;
    if (rows === 1) return trusted ? this.#keptOne : this.#one.sizing;
    return trusted ? this.#keptMany : this.#many.sizing;
  }

  /** Parameters of a query for these keys. */
  values(projection: string, keys: readonly (readonly string[])[]): readonly string[] {
    const [first = []] = keys;
    if (keys.length === 1) return [projection, ...first];
    return [projection, ...first.map((_, part) => arrayLiteral(keys.map((key) => key[part] ?? null)))];
  }

  /** What a query without a name told: bytes, separated by commas. */
  sizesSeen(bytes: string, now: number): void {
    this.#seenAt = now;
    const sizes = bytes.split(',').map(sizeClass).join('_');
    if (this.#sizes === sizes) return;
    this.#sizes = sizes;
    this.#keptOne = { text: this.#one.text, name: `kappa_row_${this.#one.hash}_${sizes}` };
    this.#keptMany = { text: this.#many.text, name: `kappa_rows_${this.#many.hash}_${sizes}` };
  }
}

function keptText(text: (withSizes: boolean) => string): KeptText {
  const kept = text(false);
  return {
    text: kept,
    sizing: { text: text(true) },
    hash: createHash('sha256').update(kept).digest('base64url').slice(0, 16),
  };
}

/** 0 for up to two pages, then one more for every four times as many. */
function sizeClass(bytes: string): number {
  return Math.floor(Math.log2(1 + Number(bytes) / PAGE_BYTES) / 2);
}
