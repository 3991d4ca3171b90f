import { mkdtemp, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startEmbeddedPostgres } from '../../src/database/embedded/embedded-postgres.js';
import { json } from './run-command.js';

interface Status {
  readonly database: { readonly place: string; readonly embedded: boolean };
}

describe('the embedded database by command', { timeout: 120_000 }, () => {
  let folder: string;
  const env = { DATABASE_URL: undefined, KAPPA_DATA_DIR: undefined };

  beforeAll(async () => {
    folder = await mkdtemp(path.join(tmpdir(), 'kappa-embedded-'));
  });
  afterAll(async () => {
    // The last client takes the data with it.
    await (await startEmbeddedPostgres({ dataDir: path.join(folder, '.kappa'), removeWhenUnused: true })).stop();
    await rm(folder, { recursive: true, force: true });
  });

  const status = async (): Promise<Status['database']> =>
    (await json<Status>(['status'], { cwd: folder, env })).document.database;
  const answers = async (place: string): Promise<boolean> => {
    const [, host, port] = /^(.*):(\d+)\//.exec(place) ?? [];
    const socket = connect(Number(port), host);
    try {
      await once(socket, 'connect');
      return true;
    } catch {
      return false;
    } finally {
      socket.destroy();
    }
  };

  it('is made by migrate alone, and runs no longer than the command', async () => {
    const made = await json<{ readonly applied: readonly string[] }>(['database', 'migrate'], { cwd: folder, env });
    expect(made.document.applied).toContain('log-0001-records');
    const { place, embedded } = await status();
    expect(embedded).toBe(true);
    expect(place).toContain(path.join(folder, '.kappa'));
    expect(await answers(place)).toBe(false);
  });

  it('is shared with a running application, and left to it', async () => {
    const server = await startEmbeddedPostgres({ dataDir: path.join(folder, '.kappa') });
    try {
      const { place } = await status();
      expect(place).toContain(`:${new URL(server.url).port}/`);
      expect(await answers(place)).toBe(true);
    } finally {
      await server.stop();
    }
  });
});
