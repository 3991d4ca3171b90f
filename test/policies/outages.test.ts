import { once } from 'node:events';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { policy } from 'nest-kappa';
import type { KappaRuntime } from '../../src/modules/kappa/kappa-runtime.js';
import { openKappa } from '../../src/modules/kappa/open-kappa.js';
import { createMigratedDatabase } from '../../src/testing/migrated-database.js';
import type { TestDatabase } from '../../src/testing/test-server.js';
import { answerOf, SourceProcesses } from '../support/source-processes.js';
import { TcpProxy } from '../../src/testing/tcp-proxy.js';
import { aggregates, fines, pay, reacting, SendReceipt, sendReceipts, sent, statusOf, until } from './support/receipts.js';

const ids = Array.from({ length: 12 }, (_, n) => `f${n}`);
const PAYMENTS = 25;
const expected = Array.from({ length: PAYMENTS }, (_, n) => `${n} #${n + 1}`);

let made: TestDatabase;
let writer: KappaRuntime;

beforeEach(async () => {
  made = await createMigratedDatabase();
  writer = await openKappa(
    { database: { url: made.url }, run: { commands: true } },
    { aggregates, policies: [sendReceipts] },
    { env: {} },
  );
});
afterEach(async () => {
  await writer.stop();
  await made.drop();
});

async function payAll(): Promise<void> {
  await Promise.all(ids.map((id) => pay(writer, id, ...expected.map((_, n) => n))));
}

async function handled(): Promise<void> {
  await until(async () => (await statusOf(writer)).behind === 0);
}

async function eachIsSentOnce(): Promise<void> {
  for (const id of ids) expect(await sent(writer, id)).toEqual(expected);
}

describe('a policy whose process is killed', () => {
  let processes: SourceProcesses;
  beforeAll(async () => {
    processes = await SourceProcesses.compile(new URL('support/policy.process.ts', import.meta.url));
  });
  afterAll(() => processes.clear());

  it('repeats no command and leaves none out, again and again, beside another', async () => {
    const paying = payAll();
    const env = { TEST_DATABASE: made.url };
    await processes.start(env);
    for (let round = 1; round <= 4; round += 1) {
      const victim = await processes.start(env);
      const count = (await sent(writer)).length;
      await until(async () => (await sent(writer)).length >= Math.min(count + 10, ids.length * PAYMENTS));
      victim.kill('SIGKILL');
      await once(victim, 'exit');
    }
    await paying;
    await handled();
    await eachIsSentOnce();
  });

  it('ends what is under way at SIGTERM, commits it and leaves its group', async () => {
    await payAll();
    const worker = await processes.start({ TEST_DATABASE: made.url });
    await until(async () => (await sent(writer)).length > 0);
    worker.kill('SIGTERM');
    expect(await answerOf(worker)).toBe('stopped');
    await once(worker, 'exit');
    expect(worker.exitCode).toBe(0);
    const done = (await sent(writer)).length;
    const { progress } = await statusOf(writer);
    expect(progress.reduce((sum, line) => sum + line.nextOffset, 0)).toBe(done);
    const { rows } = await writer.database.query('select 1 from group_members');
    expect(rows).toEqual([]);
  });
});

describe('a policy whose database goes away', () => {
  it('goes on when it is back: each event has one answer, none is set aside', async () => {
    const proxy = await TcpProxy.start(made.url);
    const worker = await openKappa(
      { database: { url: proxy.url }, run: { policies: true } },
      { aggregates, policies: [sendReceipts] },
      { env: {} },
    );
    const paying = payAll();
    await until(async () => (await sent(writer)).length > 10);
    proxy.cut();
    await paying;
    proxy.heal();
    const count = (await sent(writer)).length;
    await until(async () => (await sent(writer)).length >= Math.min(count + 20, ids.length * PAYMENTS));
    proxy.cutOnce();
    await handled();
    await eachIsSentOnce();
    expect(await statusOf(writer)).toMatchObject({ error: null, letters: { letters: 0, followers: 0 } });
    await worker.stop();
    await proxy.stop();
  });

  it('does not lose its place when a handler meets the same outage', async () => {
    const proxy = await TcpProxy.start(made.url);
    const reading = policy({ name: 'send-receipts', from: [fines], deadLetters: { retries: 0, halt: true } });
    let worker: KappaRuntime | null = null;
    worker = await openKappa(
      { database: { url: proxy.url }, run: { policies: true } },
      {
        aggregates,
        policies: [
          reacting(async (e) => {
            await worker?.database.query('select 1');
            return new SendReceipt(e.stream.id, `${e.data.cents} #${e.stream.version}`);
          }, reading),
        ],
      },
      { env: {} },
    );
    proxy.cut();
    await payAll();
    proxy.heal();
    await handled();
    await eachIsSentOnce();
    await worker.stop();
    await proxy.stop();
  });
});
