/** A statement: text with `$1`-parameters; a name makes it prepared once per connection. */
export interface Statement {
  readonly text: string;
  readonly values?: readonly unknown[];
  readonly name?: string;
}

/** The slice of a connection that runs statements. Rows come with `int8` as number (system tables only) and timestamps as text. */
export interface Queryable {
  query<Row extends object = Record<string, unknown>>(
    statement: string | Statement,
    values?: readonly unknown[],
  ): Promise<{ rows: Row[]; rowCount: number }>;
}
