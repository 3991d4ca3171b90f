import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const TYPESCRIPT = fileURLToPath(new URL('../support/typescript.mjs', import.meta.url));
const APP = fileURLToPath(new URL('./refused-start.process.ts', import.meta.url));

describe('a start that is refused', () => {
  let cwd: string;
  beforeAll(async () => {
    cwd = await mkdtemp(path.join(tmpdir(), 'kappa-refused-'));
  });
  afterAll(() => rm(cwd, { recursive: true, force: true }));

  async function run(env: Readonly<Record<string, string>>): Promise<{ readonly code: unknown; readonly printed: string }> {
    const { DATABASE_URL: _url, KAPPA_DATA_DIR: _dir, ...inherited } = process.env;
    const child = spawn(process.execPath, ['--import', TYPESCRIPT, APP], { cwd, env: { ...inherited, ...env } });
    let printed = '';
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (printed += chunk.toString()));
    const [code] = (await once(child, 'close')) as [number | null];
    return { code, printed };
  }

  it('prints code, every problem and the next step, no stack, and ends with 1', async () => {
    const options = { database: { url: 'mysql://me:secret@host/db', pool: 3 }, projections: { standbyHours: -1 } };
    const { code, printed } = await run({ OPTIONS: JSON.stringify(options) });
    expect(code).toBe(1);
    expect(printed).toContain('KAPPA_BAD_OPTIONS: 3 problems');
    expect(printed).toContain('database.pool is unknown; did you mean poolSize?');
    expect(printed).toContain('projections.standbyHours is -1; must be a number from 0');
    expect(printed).toContain('Correct what is named');
    expect(printed).not.toContain('secret');
    expect(printed).not.toMatch(/^\s+at /m);
  });

  it('in production without a database tells the fix, and writes nothing', async () => {
    const { code, printed } = await run({ NODE_ENV: 'production' });
    expect(code).toBe(1);
    expect(printed).toContain('set DATABASE_URL or database.url');
    expect(existsSync(path.join(cwd, '.kappa'))).toBe(false);
  });

  it('because the database stays away says where it was looked for', async () => {
    const { code, printed } = await run({
      OPTIONS: JSON.stringify({ database: { url: 'postgres://me:secret@127.0.0.1:1/db', connectTimeoutMs: 0 } }),
    });
    expect(code).toBe(1);
    expect(printed).toMatch(
      /KAPPA_DATABASE_UNREACHABLE: PostgreSQL at 127\.0\.0\.1:1\/db did not answer within 0 s: .*ECONNREFUSED/,
    );
    expect(printed).not.toContain('secret');
    expect(printed).not.toMatch(/^\s+at /m);
  });
});
