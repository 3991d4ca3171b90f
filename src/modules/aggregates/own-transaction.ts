import { asRetriable, sqlState } from '../../database/database-errors.js';
import type { Statement } from '../../database/database.js';
import { SESSION_SETTINGS } from '../../database/session-settings.js';
import { KappaError } from '../../kernel/errors.js';
import type { AppendOutcome, AppendRequest } from './append-request.js';
import { appendStatements, LATER, parseOutcomes } from './append-statement.js';
import type { OwnTransaction } from './command.js';
import { DirectReads, type Rows } from './stream-reads.js';

/**
 * The same bounds that our own connections have, for the rest of the caller's transaction: it holds partition locks from now
 * on, and a stopped process must not hold them for ever. The mark tells whether the next statement is in the same transaction.
 */
const BEGIN_BOUNDED = `
  select set_config('lock_timeout', $1, true), set_config('idle_in_transaction_session_timeout', $2, true), set_config('kappa.transaction', $3, true)`;
const SAME_TRANSACTION = `select current_setting('kappa.transaction', true) as mark, current_setting('transaction_isolation') as isolation`;

/** The caller's open transaction as a place to load from and append in. */
export class OwnTransactionAppender {
  readonly reads: DirectReads;

  constructor(
    private readonly transaction: OwnTransaction,
    private readonly schema: string,
  ) {
    this.reads = new DirectReads(schema, this.#rows);
  }

  /** @throws KAPPA_NO_TRANSACTION, KAPPA_NOT_READ_COMMITTED */
  async begin(mark: string): Promise<void> {
    await this.#rows({
      text: BEGIN_BOUNDED,
      values: [SESSION_SETTINGS.lock_timeout, SESSION_SETTINGS.idle_in_transaction_session_timeout, mark],
    });
    const [found] = await this.#rows<{ mark: string | null; isolation: string }>({ text: SAME_TRANSACTION });
    if (found?.mark !== mark) {
      throw new KappaError('KAPPA_NO_TRANSACTION', 'options.transaction has no open transaction', {
        nextStep:
          'Begin one first, and give the client, EntityManager or QueryRunner that it runs on, not a pool or DataSource.',
      });
    }
    if (found.isolation !== 'read committed') {
      throw new KappaError('KAPPA_NOT_READ_COMMITTED', `options.transaction is ${found.isolation.toUpperCase()}`, {
        facts: { isolation: found.isolation },
        nextStep: 'Begin it as READ COMMITTED: the append must see what was committed before its lock was granted.',
      });
    }
  }

  async append(request: AppendRequest): Promise<AppendOutcome> {
    const statement = appendStatements(this.schema).one(request);
    try {
      const [row] = await this.#rows<{ outcomes: string }>(statement);
      const [outcome] = parseOutcomes([request], row?.outcomes ?? '');
      if (outcome === undefined || outcome === LATER)
        throw new KappaError('KAPPA_INTERNAL', 'one command was told to wait for itself');
      return outcome;
    } catch (error) {
      // PostgreSQL has rolled the whole transaction back: it is the caller's to begin it again.
      throw sqlState(error) === null ? error : asRetriable(error, `the append to ${request.stream}`);
    }
  }

  readonly #rows: Rows = async <Row extends object>({ text, values }: Statement) =>
    rowsOf<Row>(await this.transaction.query(text, values ? [...values] : undefined));
}

/** `pg` answers `{ rows }`, TypeORM the rows themselves. */
function rowsOf<Row>(answer: unknown): readonly Row[] {
  if (Array.isArray(answer)) return answer as Row[];
  const rows = (answer as { readonly rows?: unknown } | null | undefined)?.rows;
  if (Array.isArray(rows)) return rows as Row[];
  throw new KappaError('KAPPA_BAD_TRANSACTION', 'options.transaction answered neither rows nor { rows }', {
    nextStep: "Give a pg client, or TypeORM's EntityManager or QueryRunner.",
  });
}
