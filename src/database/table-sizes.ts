import { quoteLiteral } from './identifiers.js';

/** How long sizes are trusted. Looking costs a tenth of a millisecond and more, once in this time. */
const TRUSTED_MS = 1_000;
const PAGE_BYTES = 8_192;

/**
 * How large some tables are, by the classes on which a plan that is kept depends: four times as many pages are another class.
 *
 * A kept plan is never made anew because a table has grown: what was planned as a scan of one page would scan a million rows until
 * they are analysed. So the name of a kept statement bears the classes of its tables; in the next class it has another name and is
 * planned for what is there. No name is chosen by sizes seen longer ago than {@link TRUSTED_MS}.
 */
export class TableSizes {
  /** SQL that tells them to `seen`, as a column of a statement; null where one of the tables is gone. */
  readonly column: string;
  #classes: string | null = null;
  #seenAt = Number.NEGATIVE_INFINITY;

  /** `tables`: quoted and qualified. */
  constructor(tables: readonly string[]) {
    this.column = tables.map((name) => `pg_relation_size(to_regclass(${quoteLiteral(name)}))`).join(` || ',' || `);
  }

  /** `0_3`; null where they must be looked at first. `now` in milliseconds, of a clock that is never put back. */
  classes(now: number): string | null {
    return now - this.#seenAt < TRUSTED_MS ? this.#classes : null;
  }

  /** What the column told: bytes, separated by commas. */
  seen(bytes: string, now: number): void {
    this.#seenAt = now;
    this.#classes = bytes.split(',').map(sizeClass).join('_');
  }
}

/** 0 for up to two pages, then one more for every four times as many. */
function sizeClass(bytes: string): number {
  return Math.floor(Math.log2(1 + Number(bytes) / PAGE_BYTES) / 2);
}
