import 'reflect-metadata';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { startEmbeddedPostgres, type EmbeddedPostgres } from '../../src/database/embedded/embedded-postgres.js';
import type { KappaRuntime } from '../../src/modules/kappa/kappa-runtime.js';
import { openKappa } from '../../src/modules/kappa/open-kappa.js';
import { House } from '../database/embedded/house.js';
import { account, balancesV1, Rates } from './bank.js';

const definitions = { aggregates: [account], projections: [balancesV1] };
const inject = <T>(): T => new Rates() as T;
/** After so long without news a process asks whether it is alone, where it may. */
const REST_MS = 8_000;

describe('an application at rest', () => {
  const house = new House();
  let folder: string;
  let server: EmbeddedPostgres;
  let client: pg.Client;
  let runtime: KappaRuntime | null = null;

  beforeAll(async () => {
    folder = await house.folder();
    server = await startEmbeddedPostgres({ dataDir: folder });
    client = new pg.Client({ connectionString: server.url });
    await client.connect();
  });
  afterEach(async () => {
    await runtime?.stop();
    runtime = null;
  });
  afterAll(async () => {
    await client.end();
    await server.stop();
    await house.clear();
  });

  async function asksWhetherItIsAlone(): Promise<boolean> {
    const { rows } = await client.query<{ asks: boolean }>(
      `select exists (select from pg_stat_activity where pid <> pg_backend_pid() and query like '%numbackends%') as asks`,
    );
    return rows[0]?.asks ?? false;
  }

  it('asks whether it is alone on the embedded server', async () => {
    runtime = await openKappa({ database: { dataDir: folder } }, definitions, { env: {}, inject });
    for (const until = performance.now() + 3 * REST_MS; performance.now() < until && !(await asksWhetherItIsAlone());)
      await sleep(50);
    expect(await asksWhetherItIsAlone()).toBe(true);
  });

  it('does not on a server that is named, before which a pooler may stand', async () => {
    runtime = await openKappa({ database: { url: server.url } }, definitions, { env: {}, inject });
    for (const until = performance.now() + REST_MS; performance.now() < until;) {
      expect(await asksWhetherItIsAlone()).toBe(false);
      await sleep(50);
    }
  });
});
