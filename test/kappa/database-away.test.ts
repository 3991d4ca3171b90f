import 'reflect-metadata';
import { existsSync } from 'node:fs';
import path from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { KappaError, latest, RetriableError, UnknownOutcomeError, type Position } from 'nest-kappa';
import { startEmbeddedPostgres, type EmbeddedPostgres } from '../../src/database/embedded/embedded-postgres.js';
import type { KappaRuntime } from '../../src/modules/kappa/kappa-runtime.js';
import { openKappa } from '../../src/modules/kappa/open-kappa.js';
import { TcpProxy } from '../../src/testing/tcp-proxy.js';
import { createTestDatabase } from '../../src/testing/test-server.js';
import { House } from '../database/embedded/house.js';
import { account, Balances, balancesV1, Deposit, OpenAccount, Rates } from './bank.js';

const definitions = { aggregates: [account], projections: [balancesV1] };
const inject = <T>(): T => new Rates() as T;

/** Tells what was logged, and lets a test wait for it. */
class HeardLogger {
  readonly lines: string[] = [];
  readonly #waiting: { readonly pattern: RegExp; readonly heard: () => void }[] = [];
  readonly log = (line: string): void => this.#hear(line);
  readonly warn = (line: string): void => this.#hear(line);
  readonly error = (line: string): void => this.#hear(line);

  said(pattern: RegExp): Promise<void> {
    if (this.lines.some((line) => pattern.test(line))) return Promise.resolve();
    return new Promise((heard) => this.#waiting.push({ pattern, heard }));
  }

  #hear(line: string): void {
    this.lines.push(line);
    for (const { pattern, heard } of this.#waiting) if (pattern.test(line)) heard();
  }
}

describe('a database that is away', () => {
  const house = new House();
  let folder: string;
  let server: EmbeddedPostgres;
  let runtime: KappaRuntime | null = null;

  beforeAll(async () => {
    folder = await house.folder();
    server = await startEmbeddedPostgres({ dataDir: folder });
  });
  afterEach(async () => {
    await runtime?.stop();
    runtime = null;
  });
  afterAll(async () => {
    await server.stop();
    await house.clear();
  });

  it('at the start is waited for with words, and work begins when it is there', async () => {
    await server.stop();
    const logger = new HeardLogger();
    const opening = openKappa({ database: { url: server.url } }, definitions, { env: {}, inject, logger });
    await logger.said(/waiting for PostgreSQL at 127\.0\.0\.1:\d+\/kappa: .*ECONNREFUSED.* of 30 s/);
    server = await startEmbeddedPostgres({ dataDir: folder });
    runtime = await opening;
    expect(logger.lines.join()).toMatch(/answers after \d+ s/);
    const { position } = await runtime.commands.execute(new OpenAccount('first', 'Ann'));
    expect(await runtime.reader(Balances).get('first', { at: position })).toMatchObject({ owner: 'Ann' });
  });

  it('for too long ends the start with an error that says where, and no password', async () => {
    await server.stop();
    const error: unknown = await openKappa({ database: { url: server.url, connectTimeoutMs: 300 } }, definitions, {
      env: {},
    }).catch((reason: unknown) => reason);
    server = await startEmbeddedPostgres({ dataDir: folder });
    expect(error).toMatchObject({
      code: 'KAPPA_DATABASE_UNREACHABLE',
      nextStep: expect.stringContaining('DATABASE_URL') as string,
    });
    expect(String(error)).toMatch(/127\.0\.0\.1:\d+\/kappa did not answer/);
    expect(String(error)).not.toContain(new URL(server.url).password);
  });

  it.each([
    ['before the schema is looked at', 'to_regclass'],
    ['in the middle of a step of the schema', 'create table'],
    ['when a step of the schema is committed', 'commit'],
  ])('is waited for as well when it goes %s', async (_, text) => {
    const made = await createTestDatabase();
    const proxy = await TcpProxy.start(made.url);
    const logger = new HeardLogger();
    const cut = proxy.losePieceWith(text);
    runtime = await openKappa({ database: { url: proxy.url } }, definitions, { env: {}, inject, logger });
    await cut;
    expect(logger.lines.join()).toMatch(/waiting for PostgreSQL at 127\.0\.0\.1:\d+\/\w+: .* of 30 s/);
    const { position } = await runtime.commands.execute(new OpenAccount('first', 'Ann'));
    expect(await runtime.reader(Balances).get('first', { at: position })).toMatchObject({ owner: 'Ann' });
    await runtime.stop();
    runtime = null;
    await proxy.stop();
    await made.drop();
  });

  it('does not keep an application from being stopped while it waits', async () => {
    await server.stop();
    const logger = new HeardLogger();
    const stop = new AbortController();
    const opening = openKappa({ database: { url: server.url } }, definitions, { env: {}, logger, signal: stop.signal }).catch(
      (reason: unknown) => reason,
    );
    await logger.said(/waiting for PostgreSQL/);
    stop.abort(new KappaError('KAPPA_STOPPED', 'enough'));
    expect(await opening).toMatchObject({ code: 'KAPPA_STOPPED' });
    server = await startEmbeddedPostgres({ dataDir: folder });
  });

  it('in the middle fails what is under way as retriable, loses nothing, and is found again without a restart', async () => {
    const logger = new HeardLogger();
    runtime = await openKappa({ database: { url: server.url } }, definitions, { env: {}, inject, logger });
    const { commands } = runtime;
    const reader = runtime.reader(Balances);
    const opened = await commands.execute(new OpenAccount('steady', 'Ann'));
    expect(await reader.get('steady', { at: opened.position })).toMatchObject({ cents: 0 });

    await server.stop();
    const failures = await Promise.all([
      commands.execute(new Deposit('steady', 1), { idempotencyKey: 'd1' }).catch((reason: unknown) => reason),
      reader.get('steady').catch((reason: unknown) => reason),
    ]);
    for (const failure of failures)
      expect(failure instanceof RetriableError || failure instanceof UnknownOutcomeError, String(failure)).toBe(true);
    server = await startEmbeddedPostgres({ dataDir: folder });

    let position: Position = {};
    for (const id of ['d1', 'd2', 'd3']) {
      const result = await untilItHappens(() => commands.execute(new Deposit('steady', 1), { idempotencyKey: id }));
      position = latest(position, result.position);
    }
    const row = await untilItHappens(() => reader.get('steady', { at: position, timeoutMs: 20_000 }));
    expect(row).toMatchObject({ cents: 3 });
  });

  // Last: whoever comes next waits until the session of the group's vanished member has run out.
  it('does not keep an application from being stopped while it runs', async () => {
    runtime = await openKappa({ database: { url: server.url } }, definitions, { env: {}, inject });
    const { position } = await runtime.commands.execute(new OpenAccount('stopped', 'Ann'));
    await runtime.reader(Balances).waitFor(position);
    await server.stop();
    await runtime.stop();
    runtime = null;
    server = await startEmbeddedPostgres({ dataDir: folder });
  });
});

describe('a start that fails half-way', () => {
  const house = new House();
  let folder: string;
  let server: EmbeddedPostgres;
  beforeAll(async () => {
    folder = await house.folder();
    server = await startEmbeddedPostgres({ dataDir: folder });
  });
  afterAll(async () => {
    await server.stop();
    await house.clear();
  });

  it('leaves no connection behind', async () => {
    const options = { name: 'half', database: { url: server.url, migrate: 'check' as const } };
    await expect(openKappa(options, definitions, { env: {} })).rejects.toMatchObject({ code: 'KAPPA_SCHEMA_BEHIND' });
    const whole = await openKappa({ name: 'whole', database: { url: server.url } }, definitions, { env: {}, engines: false });
    const { rows } = await whole.database.query<{ application_name: string }>(
      `select application_name from pg_stat_activity where application_name in ('half', 'whole') and pid <> pg_backend_pid()`,
    );
    expect(rows.filter(({ application_name }) => application_name === 'half')).toEqual([]);
    await Promise.all([whole.stop(), whole.stop()]);
    await whole.stop();
  });

  it('or that is refused touches nothing', async () => {
    const dataDir = path.join(folder, 'never');
    await expect(openKappa({}, definitions, { env: { NODE_ENV: 'production' } })).rejects.toMatchObject({
      code: 'KAPPA_BAD_OPTIONS',
      message: expect.stringContaining('DATABASE_URL') as string,
    });
    await expect(openKappa({ database: { dataDir, poolSize: 0 } }, definitions, { env: {} })).rejects.toMatchObject({
      code: 'KAPPA_BAD_OPTIONS',
    });
    expect(existsSync(dataDir)).toBe(false);
  });
});

/** Tries again whatever may succeed later, as a caller does. */
async function untilItHappens<T>(work: () => Promise<T>): Promise<T> {
  for (let tries = 0; ; tries += 1) {
    try {
      return await work();
    } catch (error) {
      const passes = error instanceof RetriableError || error instanceof UnknownOutcomeError;
      if (!passes || tries > 1_000) throw error;
    }
  }
}
