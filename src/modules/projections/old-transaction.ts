import type { Queryable } from '../../database/database.js';

/** A transaction that is open for longer holds vacuum back, and with it every table that is written often. */
export const OLD_TRANSACTION_SECONDS = 60;

/**
 * Only transactions that hold a snapshot or an id keep dead rows. Of sessions that the role may not see the server hides these
 * columns, so they are not found; maintenance of the server itself is no client.
 */
const OLDEST = `
  select pid, backend_start::text as "backendStart", xact_start::text as "since", coalesce(application_name, '') as application,
    state, extract(epoch from clock_timestamp() - xact_start)::int as seconds,
    greatest(age(backend_xmin), age(backend_xid))::int as transactions
  from pg_stat_activity
  where datname = current_database() and backend_type = 'client backend' and pid <> pg_backend_pid()
    and (backend_xmin is not null or backend_xid is not null)
    and xact_start < clock_timestamp() - make_interval(secs => $1)
  order by xact_start, pid
  limit 1`;

/** The transaction of this database that is open for longest. */
export interface OldTransaction {
  readonly pid: number;
  readonly backendStart: string;
  /** When it began, as the server writes it. */
  readonly since: string;
  /** `application_name` of its session; may be empty. */
  readonly application: string;
  /** `active`, `idle in transaction`, … */
  readonly state: string | null;
  readonly seconds: number;
  /** How many transactions began since the oldest that it may still see. */
  readonly transactions: number;
}

/** The oldest open transaction that is older than `seconds` (default 60) and holds old rows back, as far as the role may see. */
export async function oldestTransaction(
  on: Queryable,
  seconds: number = OLD_TRANSACTION_SECONDS,
): Promise<OldTransaction | null> {
  const { rows } = await on.query<OldTransaction>(OLDEST, [seconds]);
  return rows[0] ?? null;
}

export function describeTransaction({ pid, application, state, seconds }: OldTransaction): string {
  return `pid ${pid} (${application || 'no application name'}, ${state ?? 'state unknown'}) has been in a transaction for ${seconds} s`;
}

/** Tells of each old transaction once, however often it is asked. */
export class OldTransactionWatch {
  #told: string | null = null;

  constructor(
    private readonly database: Queryable,
    private readonly warn: (message: string) => void,
    private readonly seconds: number = OLD_TRANSACTION_SECONDS,
  ) {}

  async look(): Promise<void> {
    const found = await oldestTransaction(this.database, this.seconds);
    const occurrence = found && `${found.pid} ${found.backendStart} ${found.since}`;
    if (found && occurrence !== this.#told)
      this.warn(
        `${describeTransaction(found)}: PostgreSQL removes no dead rows meanwhile; end it, or set idle_in_transaction_session_timeout`,
      );
    this.#told = occurrence;
  }
}
