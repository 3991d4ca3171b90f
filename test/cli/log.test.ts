import { once } from 'node:events';
import { rm } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createTestDatabase } from '../../src/testing/test-server.js';
import { appDatabase, type AppDatabase } from './app-database.js';
import { compiledApp } from './compiled-app.js';
import { appFolder, finished, json, lines, run, start } from './run-command.js';

interface Event {
  readonly partition: number;
  readonly offset: number;
  readonly key: string;
  readonly type: string;
  readonly recordedAt: string;
  readonly stream: { readonly aggregate: string; readonly id: string; readonly version: number };
  readonly data: unknown;
}
interface Events {
  readonly events: readonly Event[];
  readonly more: boolean;
}
interface Failure {
  readonly error: { readonly code: string; readonly message: string };
}

describe('looking at database and log', { timeout: 120_000 }, () => {
  let app: AppDatabase;
  let folder: string;
  const FINES = 30;

  beforeAll(async () => {
    app = await appDatabase(FINES);
    folder = await compiledApp();
  });
  afterAll(async () => {
    await app.drop();
    await rm(folder, { recursive: true });
  });

  const read = async (...args: string[]): Promise<Events> =>
    (await json<Events>(['events', 'read', 'fines', ...args], { env: app.env })).document;

  it('migrates, says what is applied, and needs no definitions for it', async () => {
    const empty = await createTestDatabase();
    try {
      const at = ['--database', empty.url, '--schema', 'events'];
      const before = await json<Failure>(['topics', 'list', ...at]);
      expect([before.code, before.document.error.code]).toEqual([1, 'KAPPA_SCHEMA_BEHIND']);
      const pending = await json<{ readonly pending: number; readonly steps: readonly unknown[] }>([
        'database',
        'status',
        ...at,
      ]);
      expect(pending.document.pending).toBe(pending.document.steps.length);
      const migrated = await json<{ readonly applied: readonly string[] }>(['database', 'migrate', ...at]);
      expect(migrated.document.applied).toHaveLength(pending.document.pending);
      expect((await json<{ readonly applied: readonly string[] }>(['db', 'migrate', ...at])).document.applied).toEqual([]);
      expect((await run(['topics', 'list', ...at])).stdout).toContain('No topics yet');
    } finally {
      await empty.drop();
    }
  });

  it('shows the whole at one glance', async () => {
    const { code, document } = await json<{
      readonly database: { readonly place: string; readonly embedded: boolean; readonly pendingSteps: number };
      readonly log: { readonly topics: number; readonly events: number };
      readonly projections: readonly { readonly name: string }[];
    }>(['status'], { env: app.env, cwd: folder });
    expect(code).toBe(0);
    expect(document.database).toMatchObject({ place: app.url.replace(/^.*@|^.*\/\//, ''), embedded: false, pendingSteps: 0 });
    expect(document.log).toMatchObject({ topics: 1, events: 2 * FINES });
    expect(document.projections.map(({ name }) => name).sort()).toEqual(['fines', 'payments_per_fine']);
    const text = await run(['status'], { env: app.env });
    expect(text.stdout).toContain('1 topic, 60 events');
  });

  it('keeps what the application itself prints out of the answer', async () => {
    const { stdout, stderr } = await run(['topics', 'ls', '--json'], { env: app.env, cwd: appFolder, process: true });
    expect(stderr).toContain('the configuration is loaded');
    expect(stdout).not.toContain('the configuration is loaded');
  });

  it('lists and describes topics', async () => {
    const list = await json<{
      readonly topics: readonly { readonly name: string; readonly partitions: number; readonly end: number }[];
    }>(['topics', 'list'], { env: app.env });
    expect(list.document.topics).toMatchObject([{ name: 'fines', partitions: 4, end: 2 * FINES }]);
    expect((await run(['topic', 'ls'], { env: app.env })).stdout).toMatch(/fines\s+4\s+0\s+60\s+for ever/);
    const one = await json<{
      readonly offsets: readonly { readonly end: number }[];
      readonly events: readonly { readonly type: string }[];
    }>(['topics', 'describe', 'fines'], { env: app.env, cwd: folder });
    expect(one.document.offsets).toHaveLength(4);
    expect(one.document.events.map(({ type }) => type)).toEqual(['fine.created', 'payment.received']);
    const wrong = await json<Failure>(['topics', 'describe', 'fine'], { env: app.env });
    expect(wrong.code).toBe(1);
    expect(wrong.document.error.message).toContain('did you mean fines?');
  });

  it('reads events in the order of their append, across partitions', async () => {
    const { events, more } = await read('--limit', '1000');
    expect(events).toHaveLength(2 * FINES);
    expect(more).toBe(false);
    expect(events.map(({ recordedAt }) => recordedAt)).toEqual(events.map(({ recordedAt }) => recordedAt).sort());
    expect(new Set(events.map(({ partition }) => partition)).size).toBe(4);
  });

  it('reads by limit, type and key', async () => {
    expect(await read('--limit', '7')).toMatchObject({ more: true, events: { length: 7 } });
    const created = await read('--type', 'fine.created');
    expect(created.events).toHaveLength(FINES);
    const one = await read('--key', 'fine-3');
    expect(one.events.map(({ type, data }) => ({ type, data }))).toEqual([
      { type: 'fine.created', data: { cents: 1003 } },
      { type: 'payment.received', data: { cents: 250 } },
    ]);
  });

  it('reads from an offset, a time or a position', async () => {
    const all = (await read('--limit', '1000')).events;
    expect((await read('--from', '2', '--limit', '1000')).events).toHaveLength(all.filter(({ offset }) => offset >= 2).length);
    const middle = all[FINES]?.recordedAt ?? '';
    const later = (await read('--from', middle.replace(/\d{3}Z$/, 'Z'), '--limit', '1000')).events;
    expect(later.map(({ recordedAt }) => recordedAt >= middle.slice(0, 23))).not.toContain(false);
    expect(later.length).toBeGreaterThanOrEqual(FINES);
    const only = (await read('--from', 'fines/1:1', '--limit', '1000')).events;
    expect(only.map(({ partition, offset }) => [partition, offset])).toEqual(
      all.filter(({ partition, offset }) => partition === 1 && offset >= 1).map(({ partition, offset }) => [partition, offset]),
    );
    expect((await read('--from', 'end')).events).toEqual([]);
    for (const wrong of ['2026-13-01', 'fines/9:0'])
      expect((await run(['events', 'read', 'fines', '--from', wrong], { env: app.env })).code).toBe(2);
  });

  it('reads a stream by version', async () => {
    const { document } = await json<{ readonly version: number; readonly events: readonly Event[] }>(
      ['streams', 'read', 'fine', 'fine-5'],
      { env: app.env },
    );
    expect(document.version).toBe(2);
    expect(document.events.map(({ stream }) => stream)).toEqual([
      { aggregate: 'fine', id: 'fine-5', version: 1 },
      { aggregate: 'fine', id: 'fine-5', version: 2 },
    ]);
    const text = await run(['stream', 'read', 'fine', 'fine-5'], { env: app.env });
    expect(text.stdout).toMatch(/fine\.created\s+fine-5 v1\s+{"cents":1005}\n.*payment\.received\s+fine-5 v2/);
    const id = await json<Failure>(['streams', 'read', 'fine', 'fine-x'], { env: app.env });
    expect([id.code, id.document.error.code]).toEqual([1, 'KAPPA_UNKNOWN_STREAM']);
    const name = await json<Failure>(['streams', 'read', 'fin', 'fine-5'], { env: app.env, cwd: folder });
    expect(name.document.error.message).toContain('did you mean fine?');
  });

  it('tails what is appended from now on, an object a line, until Ctrl-C', async () => {
    const tail = start(['events', 'tail', 'fines', '--json'], { env: app.env });
    const end = finished(tail);
    const first = once(tail.stdout, 'data');
    const adding = new AbortController();
    // It cannot be seen from outside when the tail has begun: events are added until it shows one.
    for (let from = 1_000; !adding.signal.aborted; from += 1) {
      await app.addFines(1, from);
      await Promise.race([first.then(() => adding.abort()), new Promise((resolve) => setImmediate(resolve))]);
    }
    tail.kill('SIGINT');
    const ran = await end;
    expect(ran.code).toBe(0);
    const shown = lines<Event & { readonly done?: boolean; readonly events?: number }>(ran);
    // A fine is several events, and the tail may begin between them.
    expect(shown[0]).toMatchObject({
      type: expect.stringMatching(/^(fine|payment)\./) as string,
      stream: { aggregate: 'fine' },
    });
    expect(shown.at(-1)).toEqual({ events: shown.length - 1, done: true });
  });

  it('ends quietly when the reader of its pipe goes away', async () => {
    const reading = start(['events', 'tail', 'fines', '--from', 'begin'], { env: app.env });
    await once(reading.stdout, 'data');
    reading.stdout.destroy();
    let stderr = '';
    reading.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
    const closed = once(reading, 'exit');
    await app.addFines(5, 5_000);
    expect((await closed)[0]).toBe(0);
    expect(stderr).not.toContain('EPIPE');
  });
});
