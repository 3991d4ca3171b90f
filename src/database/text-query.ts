import type pg from 'pg';

/** A row as PostgreSQL's text of each column; null is NULL. */
export type TextRow = readonly (string | null)[];

/** A parameter: text, or an array in binary format. */
export type TextValue = string | Buffer | null;

/** Its name makes it prepared once per connection. */
export interface TextStatement {
  readonly text: string;
  readonly name?: string;
  readonly values: readonly TextValue[];
}

type Callback = (error: Error | null, rows: readonly TextRow[]) => void;

/** As `pg`'s clients do for every query, and its types say for their own only. */
interface TakesCallback {
  query(query: pg.Submittable, done: Callback): void;
}

/** What of `pg`'s connection is used; the same for years, and not in its types. */
interface Wire {
  readonly stream: { cork(): void; uncork(): void };
  readonly parsedStatements: Readonly<Record<string, string | undefined>>;
  parse(statement: { readonly name: string; readonly text: string }): void;
  bind(portal: { readonly statement: string; readonly values: readonly TextValue[] }): void;
  execute(portal: object): void;
  sync(): void;
}

/**
 * A statement whose answer is wanted as text. It never asks for a description of the columns, which `pg`'s own query does each
 * time, also of a statement that it has prepared: with the parsers that are then looked up for each column that was 9 % of what
 * Node.js spent on one row over REST.
 */
export class TextQuery implements pg.Submittable {
  /** Read by `pg`, which remembers under it what it has prepared on a connection. */
  readonly name: string;
  readonly text: string;
  readonly #values: readonly TextValue[];
  readonly #rows: TextRow[] = [];
  /** Set by `pg` to what it is given beside the query, which is also what tools that time queries look for. */
  callback: Callback | null = null;

  private constructor({ name = '', text, values }: TextStatement) {
    this.name = name;
    this.text = text;
    this.#values = values;
  }

  /** @throws what PostgreSQL answers; what `pg` says of a connection that is gone */
  static run(client: pg.ClientBase, statement: TextStatement): Promise<readonly TextRow[]> {
    return new Promise((resolve, reject) => {
      const done: Callback = (error, rows) => (error === null ? resolve(rows) : reject(error));
      (client as unknown as TakesCallback).query(new TextQuery(statement), done);
    });
  }

  submit(connection: pg.Connection): void {
    const wire = connection as unknown as Wire;
    wire.stream.cork();
    try {
      if (this.name === '' || wire.parsedStatements[this.name] === undefined) wire.parse({ name: this.name, text: this.text });
      wire.bind({ statement: this.name, values: this.#values });
      wire.execute({});
      wire.sync();
    } finally {
      wire.stream.uncork();
    }
  }

  handleDataRow({ fields }: { readonly fields: TextRow }): void {
    this.#rows.push(fields);
  }

  handleError(error: Error): void {
    this.#settle(error);
  }

  handleReadyForQuery(): void {
    this.#settle(null);
  }

  handleCommandComplete(): void {
    // The rows are complete with it; the connection is free with what comes next.
  }

  handleRowDescription(): void {
    // Not asked for.
  }

  handleEmptyQuery(): void {
    // No statement of ours is empty.
  }

  handlePortalSuspended(): void {
    // No limit of rows is given.
  }

  #settle(error: Error | null): void {
    const { callback } = this;
    this.callback = null;
    callback?.(error, this.#rows);
  }
}
