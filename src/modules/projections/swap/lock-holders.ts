import type { Queryable } from '../../../database/database.js';

/** Who holds locks on some relations: oldest transaction first, without the text of anybody's values. */
const HOLDERS = `
  select distinct a.pid, a.application_name as application, a.usename as "user", a.state,
    extract(epoch from clock_timestamp() - a.xact_start)::int as seconds, left(a.query, 120) as query
  from pg_locks l
  join pg_stat_activity a on a.pid = l.pid
  where l.granted and l.relation = any($1::regclass[]) and l.pid <> pg_backend_pid()
    and l.database = (select oid from pg_database where datname = current_database())
  order by seconds desc nulls last
  limit 5`;

export interface LockHolder {
  readonly pid: number;
  readonly application: string;
  readonly user: string;
  readonly state: string;
  /** How long its transaction has been open. */
  readonly seconds: number | null;
  readonly query: string;
}

/** Who holds the relations, as facts and in words that go on after `is held`; nobody where they cannot be asked for. */
export async function lockHolders(
  on: Queryable,
  relations: readonly string[],
): Promise<{ readonly holders: readonly LockHolder[]; readonly text: string }> {
  const holders = await on.query<LockHolder>(HOLDERS, [relations]).then(
    ({ rows }) => rows,
    () => [],
  );
  const text = holders.length === 0 ? 'by a transaction that has ended by now' : `by ${holders.map(describe).join('; ')}`;
  return { holders, text };
}

/** `pid 4711 (psql, 63 s): select …` */
function describe({ pid, application, state, seconds, query }: LockHolder): string {
  return `pid ${pid} (${application || 'unnamed'}, ${state}${seconds === null ? '' : `, ${seconds} s`}): ${query}`;
}
