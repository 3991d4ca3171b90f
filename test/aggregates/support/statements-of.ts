import type { Connection, Statement } from '../../../src/database/database.js';
import type { TextStatement } from '../../../src/database/text-query.js';
import type { Writer } from './write-side.js';

/** Changes each connection that a writer takes from its pool from now on. */
export function changeConnections({ database }: Writer, change: (connection: Connection) => Connection): void {
  const connect = database.connect.bind(database);
  database.connect = async () => change(await connect());
}

/** Counts the statements of a writer whose names begin so: all that have one run on a connection that it takes from its pool. */
export function statementsOf(writer: Writer, name: string): () => number {
  let count = 0;
  changeConnections(writer, (connection) => {
    const [ask, texts] = [connection.query.bind(connection), connection.texts.bind(connection)];
    return {
      ...connection,
      texts: (statement: TextStatement) => {
        if (statement.name?.startsWith(name)) count += 1;
        return texts(statement);
      },
      query: <Row extends object>(statement: string | Statement, values?: readonly unknown[]) => {
        if (typeof statement !== 'string' && statement.name?.startsWith(name)) count += 1;
        return ask<Row>(statement, values);
      },
    };
  });
  return () => count;
}

/** Counts the reads of the log of a writer: they are COPY, which goes past `query`. */
export function readsOf(writer: Writer): () => number {
  let count = 0;
  changeConnections(writer, (connection) => ({
    ...connection,
    get raw() {
      count += 1;
      return connection.raw;
    },
  }));
  return () => count;
}
