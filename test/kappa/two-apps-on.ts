import { once } from 'node:events';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createMigratedDatabase } from '../../src/testing/migrated-database.js';
import type { TestDatabase } from '../../src/testing/test-server.js';
import { until } from '../policies/support/receipts.js';
import { SourceProcesses } from '../support/source-processes.js';
import type { TwoAppsReport } from './two-apps.process.js';

export interface TwoApps {
  /** For their process, beside the databases. */
  readonly env: Readonly<Record<string, string>>;
  /** Looked at while they are closed and their process still lives: what the log has left of them, in words. */
  readonly left?: (databases: readonly TestDatabase[]) => Promise<readonly string[]>;
}

/** Two applications with relay, projections and a policy, closed in a process that goes on. */
export function twoAppsOn(driver: 'postgres' | 'kafka', { env, left = async () => [] }: TwoApps): void {
  describe(`two applications in one process on the log in ${driver}`, () => {
    let processes: SourceProcesses;
    let databases: readonly TestDatabase[];

    beforeAll(async () => {
      processes = await SourceProcesses.compile(new URL('two-apps.process.ts', import.meta.url));
      databases = await Promise.all([createMigratedDatabase(), createMigratedDatabase()]);
    });
    afterAll(async () => {
      await processes.clear();
      for (const database of databases) await database.drop();
    });

    it('do not meet, and leave nothing behind when they are closed: no handle, session, lock or seat', async () => {
      const reports: TwoAppsReport[] = [];
      const child = await processes.start({ TEST_DATABASES: databases.map(({ url }) => url).join(' '), ...env }, (message) =>
        reports.push(message as TwoAppsReport),
      );
      const [report] = reports;
      expect(report?.drivers).toEqual([driver, driver]);
      expect(report?.sent).toEqual([5, 6]);
      expect(report?.unhandled).toEqual([]);
      expect(report?.resources.after).toEqual(report?.resources.before);
      // The server ends a session a moment after its socket.
      for (const { url } of databases) await until(async () => (await leftIn(url)).every((count) => count === 0));
      expect(await left(databases)).toEqual([]);

      child.send('end');
      await once(child, 'exit');
      expect(child.exitCode).toBe(0);
    });
  });
}

/** Sessions, locks, seats of groups and rows of processes. */
async function leftIn(url: string): Promise<readonly number[]> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  const { rows } = await client.query<Record<string, number>>(`
    select
      (select count(*)::int from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()) as sessions,
      (select count(*)::int from pg_locks l join pg_database d on d.oid = l.database
       where d.datname = current_database() and l.pid <> pg_backend_pid()) as locks,
      (select count(*)::int from kappa.group_members) as members,
      (select count(*)::int from kappa.processes) as processes`);
  await client.end();
  return Object.values(rows[0] ?? {});
}
