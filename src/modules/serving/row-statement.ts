import { createHash } from 'node:crypto';
import type { ColumnDefinition, TableDefinition } from '../projections/table.js';
import type { LiveBuild } from './live-build.js';
import { rowText } from './read-statements.js';

/** How long the size of a table is trusted. Looking costs a plan made anew: 0.25 ms, once in this time. */
const SIZE_TRUSTED_MS = 1_000;
const PAGE_BYTES = 8_192;

/** What is sent; without a name it is planned for this once, and its last column tells sizes. */
export interface RowQuery {
  readonly text: string;
  readonly name?: string;
}

/**
 * The statement that reads one row of one live build, kept by the server under a name: planning takes it longer than reading.
 *
 * A kept plan is never made anew because a table has grown: what was planned as a scan of one page would scan a million rows until
 * they are analysed. So the name bears the size class of the tables, four times larger each; in the next class the statement has
 * another name and is planned for what is there. Sizes are looked at by the read that comes when they were last seen a while ago,
 * which runs without a name itself: no read is planned for sizes older than {@link SIZE_TRUSTED_MS}.
 */
export class RowStatement {
  readonly #named: string;
  readonly #sizing: RowQuery;
  readonly #hash: string;
  #kept: RowQuery | null = null;
  #seenAt = Number.NEGATIVE_INFINITY;

  constructor(schema: string, live: LiveBuild, table: TableDefinition, key: readonly ColumnDefinition[]) {
    this.#named = rowText(schema, live, table, key, false);
    this.#sizing = { text: rowText(schema, live, table, key, true) };
    this.#hash = createHash('sha256').update(this.#named).digest('base64url').slice(0, 16);
  }

  /** `now` in milliseconds, of a clock that is never put back. */
  query(now: number): RowQuery {
    return this.#kept === null || now - this.#seenAt >= SIZE_TRUSTED_MS ? this.#sizing : this.#kept;
  }

  /** What a query without a name told: bytes, separated by commas. */
  sizesSeen(bytes: string, now: number): void {
    const name = `kappa_row_${this.#hash}_${bytes.split(',').map(sizeClass).join('_')}`;
    if (this.#kept?.name !== name) this.#kept = { text: this.#named, name };
    this.#seenAt = now;
  }
}

/** 0 for up to two pages, then one more for every four times as many. */
function sizeClass(bytes: string): number {
  return Math.floor(Math.log2(1 + Number(bytes) / PAGE_BYTES) / 2);
}
