import { rm } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { event, policy, topic, type } from 'nest-kappa';
import { kafka } from 'nest-kappa/kafka';
import { partitionKey } from '../../../src/kernel/position.js';
import type { RelayLag } from '../../../src/modules/aggregates/relay/relay-status.js';
import type { RelayVerification } from '../../../src/modules/aggregates/relay/relay-verify.js';
import { openKappa } from '../../../src/modules/kappa/open-kappa.js';
import type { KappaRuntime } from '../../../src/modules/kappa/kappa-runtime.js';
import type { ProjectionStatus } from '../../../src/modules/projections/operations.js';
import { startKafka } from '../../../src/testing/kafka/start-kafka.js';
import type { StartedKafka } from '../../../src/testing/kafka/started-kafka.js';
import { fine, fines, PaymentReceived, ReceivePayment } from '../../cli/app/src/fines.js';
import { Fines, finesV1, PaymentsPerFineV1 } from '../../cli/app/src/projections.js';
import { appDatabase, type AppDatabase } from '../../cli/app-database.js';
import { compiledApp } from '../../cli/compiled-app.js';
import { json, lines, run, type Ran } from '../../cli/run-command.js';
import { receipt, receipts, SendReceipt, sent, statusOf, until } from '../../policies/support/receipts.js';
import { describeWithOwnKafka } from '../../support/kafka.js';

const FINES = 40;
/** Of `fine-0`: what its first receipt waits for stands aside, and these with it. */
const PAID_BEHIND = [501, 502];
/** Of other fines: no policy has seen them when the application moves. */
const PAID_UNSEEN = [601, 602, 603];
const EVENTS = 2 * FINES + PAID_BEHIND.length + PAID_UNSEEN.length;

let refused: string | null = 'fine-0';
/** What its handler was given, in whichever process: a command that is given twice takes effect once all the same. */
const handled: string[] = [];
const sendReceipts = policy({ name: 'send-receipts', from: [fines], startAt: 'beginning', deadLetters: { retries: 0 } }).on(
  PaymentReceived,
  (e) => {
    const text = `${e.stream.id} ${e.data.cents}`;
    handled.push(text);
    if (e.stream.id === refused) throw new Error('no receipt yet');
    return new SendReceipt(e.stream.id, text);
  },
);
/** Somebody else writes to it, so that no relay copies it. */
const NoteTaken = event('note.taken', type<{ text: string }>());
const notes = topic('notes', { partitions: 1, events: [NoteTaken] });
const readNotes = policy({ name: 'read-notes', from: [notes], startAt: 'beginning' }).on(NoteTaken, () => null);

/** One for each of the first payments. */
const FIRST_RECEIPTS = Array.from({ length: FINES }, (_, n) => `fine-${n} 250`);
const BEHIND_RECEIPTS = PAID_BEHIND.map((cents) => `fine-0 ${cents}`);
const WAITING = { letters: 1, followers: PAID_BEHIND.length };
const UNSEEN_RECEIPTS = PAID_UNSEEN.map((cents, n) => `fine-${n + 1} ${cents}`);

interface Status {
  readonly relays: boolean;
  readonly behind: number;
  readonly partitions: readonly RelayLag[];
}
interface Events {
  readonly events: readonly { readonly id: string; readonly partition: number; readonly offset: number }[];
}
type Line = Partial<RelayVerification>;
interface Run {
  readonly relay?: boolean;
  readonly commands?: boolean;
  readonly projections?: boolean;
  readonly policies?: boolean;
}

// One step after the other, as docs/recipes/move-to-kafka.md has them.
await describeWithOwnKafka('an application that moves to Kafka with its history', () => {
  let brokers: StartedKafka;
  let app: AppDatabase;
  let folder: string;
  let runtime: KappaRuntime | null = null;
  const definitions = {
    aggregates: [fine, receipt],
    projections: [finesV1, PaymentsPerFineV1],
    policies: [sendReceipts, readNotes],
  };

  beforeAll(async () => {
    brokers = await startKafka({ from: ['docker', 'java'] });
    app = await appDatabase(FINES);
    folder = await compiledApp();
  });
  afterAll(async () => {
    await runtime?.stop();
    await app.drop();
    await rm(folder, { recursive: true });
    await brokers.stop();
  });

  const env = (): Record<string, string> => ({ ...app.env, BROKERS: brokers.brokers.join(',') });
  const before = (...args: readonly string[]): Promise<Ran> => run(args, { cwd: folder, env: env() });
  const after = (...args: readonly string[]): Promise<Ran> =>
    run([...args, '--config', path.join(folder, 'kafka.config.js')], { cwd: folder, env: env() });
  const read = async <Document>(ran: Promise<Ran>): Promise<Document & { readonly code: number | null }> => {
    const { code, stdout, stderr } = await ran;
    if (stdout === '') throw new Error(stderr);
    return { ...(JSON.parse(stdout) as Document), code };
  };
  const open = (log: 'postgres' | 'kafka', what: Run) =>
    openKappa(
      {
        database: { url: app.url },
        ...(log === 'kafka' ? { log: kafka({ brokers: brokers.brokers }) } : {}),
        run: what,
        // The same code, compiled by two compilers, which would be rebuilt in development.
        projections: { onChangedCode: 'warn' },
      },
      definitions,
      { env: {} },
    );
  const receiptsOf = async (kappa: KappaRuntime): Promise<readonly string[]> => byFine(await sent(kappa));

  it('has live projections on the log in PostgreSQL', async () => {
    expect((await before('projections', 'rebuild', '--all', '--swap')).code).toBe(0);
    expect(await read<Status>(before('relay', 'status', '--json'))).toMatchObject({ code: 0, relays: false, partitions: [] });
    expect((await before('relay', 'verify')).stderr).toContain('KAPPA_NOTHING_RELAYED');
  });

  it('has a policy that has handled a part of it there, and has set some aside', async () => {
    runtime = await open('postgres', { policies: true });
    const kappa = runtime;
    for (const cents of PAID_BEHIND) await app.pay('fine-0', cents);
    await until(async () => (await statusOf(kappa)).behind === 0);
    expect(await receiptsOf(kappa)).toEqual(byFine(FIRST_RECEIPTS.slice(1)));
    expect(await statusOf(kappa)).toMatchObject({ letters: WAITING, error: null });
    await kappa.stop();
    expect(byFine(handled.splice(0))).toEqual(byFine(FIRST_RECEIPTS));
    for (const [n, cents] of PAID_UNSEEN.entries()) await app.pay(`fine-${n + 1}`, cents);
  });

  it('shows what is to be relayed, and that nobody does it', async () => {
    const status = await read<Status>(after('relay', 'status', '--json'));
    expect(status).toMatchObject({ code: 1, relays: true, behind: EVENTS + FIRST_RECEIPTS.length - 1 });
    expect(status.partitions).toHaveLength(fines.partitions + receipts.partitions);
    const { stdout } = await after('relay', 'status');
    expect(stdout).toMatch(/topic +partition +appended +relayed +behind +waiting +relayed by\n/);
    expect(stdout).toMatch(/nobody\n[^]*124 events to relay\./);
  });

  it('relays its history', async () => {
    runtime = await open('kafka', { relay: true });
    const to = { ...(await runtime.end(fines.name)), ...(await runtime.end(receipts.name)) };
    const from = Object.fromEntries(Object.keys(to).map((key) => [key, 0]));
    // What is not relayed yet is waited for: each partition is followed until it has all.
    const behind = new Map(Object.entries(to));
    for await (const { topic, partition, next } of runtime.log.read({ from })) {
      const key = partitionKey(topic, partition);
      if (next >= (behind.get(key) ?? Infinity)) behind.delete(key);
      if (behind.size === 0) break;
    }
    expect(await read<Status>(after('relay', 'status', '--json'))).toMatchObject({ code: 0, behind: 0 });
    expect((await after('relay', 'status')).stdout).toContain('All that was appended is relayed.');
    await runtime.stop();
  });

  it('finds rows and topic equal, and events where they were', async () => {
    const verified = await after('relay', 'verify', '--json');
    expect(verified.code, verified.stderr).toBe(0);
    expect(lines<Line>(verified).at(-1)).toMatchObject({
      differences: 0,
      topics: [
        { topic: 'fines', compared: EVENTS },
        { topic: 'receipts', compared: FIRST_RECEIPTS.length - 1 },
      ],
      done: true,
    });
    expect((await after('relay', 'verify', 'fines')).stdout).toContain('fines: 85 rows and as many records are equal.');
    const [inPostgres, inKafka] = await Promise.all([
      read<Events>(before('events', 'read', 'fines', '--limit', '200', '--json')),
      read<Events>(after('events', 'read', 'fines', '--limit', '200', '--json')),
    ]);
    const places = ({ events }: Events) => events.map(({ id, partition, offset }) => `${partition}:${offset} ${id}`).sort();
    expect(places(inKafka)).toEqual(places(inPostgres));
    expect(places(inKafka)).toHaveLength(EVENTS);
  });

  it('halts a policy that is started on it before its place is carried over, and says how to do that', async () => {
    runtime = await open('kafka', { policies: true });
    const kappa = runtime;
    const { code, message } = await until(async () => (await statusOf(kappa)).error);
    expect(code).toBe('KAPPA_LOG_CHANGED');
    expect(message).toContain('npx nest-kappa relay adopt');
    await kappa.stop();
    expect(handled).toEqual([]);
  });

  it('carries over where projections and policies stand', async () => {
    const adopted = await after('relay', 'adopt', '--json');
    expect(adopted.code, adopted.stdout + adopted.stderr).toBe(1);
    expect(lines<Line>(adopted).at(-1)).toMatchObject({
      builds: { adopted: [1, 2], left: [] },
      policies: {
        adopted: ['send-receipts'],
        left: [{ policy: 'read-notes', reason: 'it reads notes, which is not relayed' }],
      },
      waiting: 1 + PAID_BEHIND.length,
      done: true,
    });
  });

  it('names the policy that stays behind, which goes on once it is told where', async () => {
    const again = await after('relay', 'adopt');
    expect(again.code).toBe(1);
    expect(again.stdout).toContain(
      'policy read-notes stays behind: it reads notes, which is not relayed. Say where it goes on: npx nest-kappa policies accept read-notes.',
    );
    expect((await after('policies', 'accept', 'read-notes', '--from', 'begin', '--yes')).code).toBe(0);
    expect((await after('relay', 'adopt')).stdout).toContain('No build and no policy stands on the log in PostgreSQL.');
  });

  it('lets the policy go on exactly there: nothing is handled twice, and nothing left out', async () => {
    runtime = await open('kafka', { relay: true, policies: true });
    const kappa = runtime;
    const expected = byFine([...FIRST_RECEIPTS.slice(1), ...UNSEEN_RECEIPTS]);
    await until(async () => (await receiptsOf(kappa)).length >= expected.length);
    await until(async () => (await statusOf(kappa)).behind === 0);
    expect(await receiptsOf(kappa)).toEqual(expected);
    expect(byFine(handled.splice(0))).toEqual(UNSEEN_RECEIPTS);
    expect(await statusOf(kappa)).toMatchObject({ letters: WAITING, error: null });
  });

  it('retries there what stood aside before, in order', async () => {
    const kappa = runtime as KappaRuntime;
    refused = null;
    const [letter] = (await read<{ letters: readonly { id: number }[] }>(after('dead-letters', 'list', '--json'))).letters;
    expect((await after('dead-letters', 'retry', String(letter?.id))).code).toBe(0);
    const all = byFine([...FIRST_RECEIPTS, ...BEHIND_RECEIPTS, ...UNSEEN_RECEIPTS]);
    await until(async () => (await receiptsOf(kappa)).length >= all.length);
    expect(await receiptsOf(kappa)).toEqual(all);
    expect(handled).toEqual(['fine-0 250', ...BEHIND_RECEIPTS]);
    await app.pay('fine-0', 700);
    await until(async () => (await receiptsOf(kappa)).length > all.length);
    expect((await sent(kappa, 'fine-0')).at(-1)).toBe('fine-0 700');
    await kappa.stop();
  });

  it('lets projections go on where they stand, without a rebuild', async () => {
    expect((await after('projections', 'plan', '--check')).code).toBe(0);

    runtime = await open('kafka', { commands: true, relay: true, projections: true });
    const { position } = await runtime.commands.execute(new ReceivePayment('fine-9', 100));
    expect(Object.keys(position)).toHaveLength(1);
    expect(await runtime.reader(Fines).get('fine-9', { at: position })).toMatchObject({ id: 'fine-9', paid: '3.50' });
    const { projections } = await read<{ readonly projections: readonly ProjectionStatus[] }>(
      after('projections', 'status', '--json'),
    );
    expect(projections.map(({ activeBuild, builds }) => [activeBuild, builds.length])).toEqual([
      [1, 1],
      [2, 1],
    ]);
    const { document } = await json<{ readonly log: unknown }>(['status', '--config', path.join(folder, 'kafka.config.js')], {
      cwd: folder,
      env: env(),
    });
    expect(document.log).toMatchObject({ driver: 'kafka' });
    expect((await after('topics', 'describe', 'fines')).stdout).toContain('fine.created v1, payment.received v1');
  });

  it('needs Kafka for none of what the database alone can answer', async () => {
    const away = { cwd: folder, env: { ...env(), BROKERS: '127.0.0.1:1' } };
    const config = ['--config', path.join(folder, 'kafka.config.js')];
    expect((await run(['database', 'status', ...config], away)).code).toBe(0);
    expect((await run(['streams', 'read', 'fine', 'fine-3', ...config], away)).code).toBe(0);
  });
});

/** Those of one fine stay in their order. */
function byFine(texts: readonly string[]): readonly string[] {
  const fineOf = (text: string): string => text.split(' ')[0] ?? '';
  return [...texts].sort((a, b) => fineOf(a).localeCompare(fineOf(b)));
}
