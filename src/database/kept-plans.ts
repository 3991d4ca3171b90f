import { createHash } from 'node:crypto';
import type { Queryable } from './queryable.js';
import { TableSizes } from './table-sizes.js';

/** One table's bytes are a number, those of several a text. */
interface Sizes {
  readonly bytes: string | number | null;
}

/**
 * Lets the server keep the plans of statements that come again and again: planning what a batch writes takes it three times as long
 * as carrying it out. Names bear the text and the size classes of the tables on which plans depend, see {@link TableSizes}.
 */
export class KeptPlans {
  readonly #sizes: TableSizes;
  readonly #names = new Map<string, string>();

  /** `prefix`: what the names begin with. `tables`: quoted and qualified. */
  constructor(
    private readonly prefix: string,
    tables: readonly string[],
  ) {
    this.#sizes = new TableSizes(tables);
  }

  /** Looks at the sizes where that is some time ago. */
  async look(on: Queryable): Promise<void> {
    if (this.#sizes.classes(performance.now()) !== null) return;
    const { rows } = await on.query<Sizes>(`select ${this.#sizes.column} as bytes`);
    const bytes = rows[0]?.bytes ?? null;
    if (bytes !== null) this.#sizes.seen(String(bytes), performance.now());
  }

  /** Statements without a name get one there that bears their purpose, until sizes have to be looked at again. */
  on(queryable: Queryable, purpose: string): Queryable {
    const classes = this.#sizes.classes(performance.now());
    if (classes === null) return queryable;
    return {
      query: (statement, values) =>
        queryable.query(
          typeof statement === 'string'
            ? { text: statement, name: `${this.#nameOf(purpose, statement)}_${classes}` }
            : statement,
          values,
        ),
    };
  }

  #nameOf(purpose: string, text: string): string {
    let name = this.#names.get(text);
    if (name === undefined) this.#names.set(text, (name = keptName(`${this.prefix}_${purpose}`, text)));
    return name;
  }
}

/** A name that no other text has. */
export function keptName(prefix: string, text: string): string {
  return `${prefix}_${createHash('sha256').update(text).digest('base64url').slice(0, 16)}`;
}
