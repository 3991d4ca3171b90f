import { isConnectionError, sqlState } from '../../database/database-errors.js';
import type { Connection, Database } from '../../database/database.js';
import type { TextStatement } from '../../database/text-query.js';
import { RetriableError, UnknownOutcomeError } from '../../kernel/errors.js';
import type { AppendOutcome, AppendRequest } from './append-request.js';
import { appendStatements, parseOutcomes, type AppendStatements, type LATER } from './append-statement.js';

/** How long a group of several partitions waits for a lock before it is divided, so that a held partition holds up none but itself. */
const SHARED_LOCK_TIMEOUT_MS = 400;

/** Sends the appends of a group in one statement, on a connection of its own for as long as that takes. */
export class GroupSender {
  readonly #statements: AppendStatements;

  constructor(
    private readonly database: Pick<Database, 'connect' | 'schema'>,
    private readonly answerTimeoutMs: number,
  ) {
    this.#statements = appendStatements(database.schema);
  }

  /**
   * What became of each, in their order.
   * @throws RetriableError when nothing was sent; UnknownOutcomeError when the connection is lost after the statement was given to
   *   it; what the database refuses the group with.
   */
  async send(requests: readonly AppendRequest[]): Promise<readonly (AppendOutcome | typeof LATER)[]> {
    const statement = this.#statementOf(requests);
    let connection: Connection;
    try {
      connection = await this.database.connect();
    } catch (error) {
      throw new RetriableError('nothing was appended: the database cannot be reached', { cause: error });
    }
    let answer: string;
    try {
      answer = await this.#answer(connection, statement);
    } catch (error) {
      const lost = isConnectionError(error) || sqlState(error) === null;
      connection.release(lost);
      throw lost ? new UnknownOutcomeError('the connection was lost during the append', { cause: error }) : error;
    }
    connection.release();
    return parseOutcomes(requests, answer);
  }

  #statementOf(requests: readonly AppendRequest[]): TextStatement {
    const [only, another] = requests;
    if (only && !another) return this.#statements.one(only);
    const shared = requests.some((request) => request.partitionKey !== only?.partitionKey);
    return this.#statements.group(requests, shared ? SHARED_LOCK_TIMEOUT_MS : null);
  }

  /** A half-open connection never answers, and TCP gives up only after many minutes. */
  async #answer(connection: Connection, statement: TextStatement): Promise<string> {
    let timer: NodeJS.Timeout | undefined;
    const silence = new Promise<never>((_, reject) => {
      timer = setTimeout(
        () => reject(new UnknownOutcomeError(`the database did not answer for ${this.answerTimeoutMs} ms`)),
        this.answerTimeoutMs,
      );
    });
    try {
      const [row] = await Promise.race([connection.texts(statement), silence]);
      return row?.[0] ?? '';
    } finally {
      clearTimeout(timer);
    }
  }
}
