import type { Queryable } from '../database/database.js';
import { SILENT_AFTER_SECONDS } from '../modules/projections/processes.js';

const SERVER = `select current_setting('server_version') as version, pg_database_size(current_database()) as bytes`;

const PROCESSES = `
  select id, host, pid, application, versions, started_at, seen_at
  from processes
  where seen_at > now() - make_interval(secs => ${SILENT_AFTER_SECONDS})
  order by started_at, id`;

/** A process that runs the application and was heard of lately. */
export interface RunningProcess {
  readonly id: string;
  readonly host: string;
  readonly pid: number;
  readonly application: string;
  readonly versions: readonly { readonly projection: string; readonly version: number; readonly code: string }[];
  readonly startedAt: string;
  readonly seenAt: string;
}

export async function readServer(database: Queryable): Promise<{ readonly version: string; readonly bytes: number }> {
  const { rows } = await database.query<{ version: string; bytes: number }>(SERVER);
  return { version: rows[0]?.version ?? '', bytes: rows[0]?.bytes ?? 0 };
}

export async function readProcesses(database: Queryable): Promise<readonly RunningProcess[]> {
  const { rows } = await database.query<{
    id: string;
    host: string;
    pid: number;
    application: string;
    versions: RunningProcess['versions'];
    started_at: string;
    seen_at: string;
  }>(PROCESSES);
  return rows.map(({ started_at, seen_at, ...rest }) => ({ ...rest, startedAt: started_at, seenAt: seen_at }));
}
