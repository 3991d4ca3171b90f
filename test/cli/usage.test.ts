import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { json, run } from './run-command.js';

interface Failure {
  readonly error: { readonly code: string; readonly message: string; readonly nextStep: string | null };
}

describe('the command line', () => {
  let empty: string;
  const nowhere = { DATABASE_URL: undefined, KAPPA_DATA_DIR: undefined };

  beforeAll(async () => {
    empty = await mkdtemp(path.join(tmpdir(), 'kappa-cli-'));
  });
  afterAll(() => rm(empty, { recursive: true }));

  it('says in its help how it is called and how it exits', async () => {
    const { code, stdout, stderr } = await run(['--help'], { cwd: empty });
    expect(code).toBe(0);
    expect(stdout).toContain('Usage: npx nest-kappa');
    expect(stdout).toContain('3 pending changes');
    expect(stderr).toBe('');
  });

  it.each([['--version'], ['-V']])('prints its version with %s', async (flag) => {
    expect((await run([flag], { cwd: empty })).stdout).toMatch(/^\d+\.\d+\.\d+/);
  });

  it.each([
    [['statis'], 'Did you mean status?'],
    [['projections', 'rebild'], 'Did you mean rebuild?'],
    [['status', '--jsn'], 'Did you mean --json?'],
    [['events', 'read'], "missing required argument 'topic'"],
    [['projections'], 'Usage: npx nest-kappa projections'],
    [['projections', 'rebuild'], 'Name projections, or give --all'],
    [['projections', 'rebuild', 'fines', '--all'], 'contradict each other'],
    [['projections', 'rebuild', 'fines', '--group'], 'Add --swap'],
    [['projections', 'rebuild', 'fines', '--no-wait', '--max-rate', '5'], 'leaves the work to others'],
    [['events', 'read', 'fines', '--limit', 'many'], 'Give a whole number from 1'],
  ])('refuses %j with exit code 2 and a hint', async (args, hint) => {
    const { code, stdout, stderr } = await run(args, { cwd: empty, env: nowhere });
    expect(code).toBe(2);
    expect(stderr).toContain(hint);
    expect(stdout).toBe('');
  });

  it('tells wrong usage as a document with --json', async () => {
    const { code, document } = await json<Failure>(['statis'], { cwd: empty });
    expect(code).toBe(2);
    expect(document.error).toMatchObject({ code: 'KAPPA_USAGE', message: expect.stringContaining('statis') as string });
  });

  it('needs no configuration where the database is enough, and says what is missing where it is not', async () => {
    const missing = await json<Failure>(['topics', 'list'], { cwd: empty, env: nowhere });
    expect(missing.code).toBe(1);
    expect(missing.document.error.code).toBe('KAPPA_NO_EMBEDDED_DATABASE');
    const plan = await json<Failure>(['projections', 'plan'], { cwd: empty, env: nowhere });
    expect(plan.code).toBe(1);
    expect(plan.document.error.code).toBe('KAPPA_NO_DEFINITIONS');
  });

  it('names code, facts and next step of an error, and the stack only with --debug', async () => {
    const args = ['topics', 'list', '--database', 'postgres://me:s3cret@127.0.0.1:1/kappa'];
    const short = await run(args, { cwd: empty });
    expect(short.code).toBe(1);
    expect(short.stderr).toMatch(/^KAPPA_DATABASE_UNREACHABLE: 127\.0\.0\.1:1\/kappa/);
    expect(short.stderr).toContain('Start it or correct database.url');
    expect(short.stderr).not.toMatch(/\bat .*\.js:\d+/);
    const long = await run([...args, '--debug'], { cwd: empty });
    expect(long.stderr).toMatch(/\bat .*\.[jt]s:\d+/);
    for (const { stdout, stderr } of [short, long]) expect(stdout + stderr).not.toContain('s3cret');
  });

  it('never prints a password, not even of a URL that is none', async () => {
    const { stdout, stderr } = await run(['status', '--database', 'mysql://me:s3cret@db/kappa', '--json', '--debug'], {
      cwd: empty,
    });
    expect(stdout + stderr).not.toContain('s3cret');
  });

  it('does not use the disk of a production container unasked', async () => {
    const { code, stderr } = await run(['status'], { cwd: empty, env: { ...nowhere, NODE_ENV: 'production' } });
    expect(code).toBe(1);
    expect(stderr).toContain('NODE_ENV is production');
  });

  it('prints the DDL without any database', async () => {
    const { code, stdout } = await run(['database', 'sql', '--schema', 'events'], {
      cwd: empty,
      env: { ...nowhere, NODE_ENV: 'production' },
    });
    expect(code).toBe(0);
    expect(stdout).toContain('create table "events".log_records');
    const { document } = await json<{ readonly schema: string; readonly sql: string }>(
      ['database', 'sql', '--schema', 'events'],
      { cwd: empty },
    );
    expect(document).toEqual({ schema: 'events', viewSchema: 'public', sql: stdout });
  });
});
