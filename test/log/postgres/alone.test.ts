import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import pg from 'pg';
import { topicName } from '../../../src/kernel/names.js';
import { partitionKey } from '../../../src/kernel/position.js';
import type { LogBatch } from '../../../src/log/event-log.js';
import { LogDatabase, type LogClient } from './log-databases.js';

const TOPIC = topicName('alone');
/** Longer than the test: who looks so seldom does not look again. */
const NEVER_MS = 3_600_000;
const OFTEN = { minPollIntervalMs: 5, maxPollIntervalMs: 20 };
const UNTIL = { timeout: 20_000, interval: 10 };

let log: LogDatabase;
beforeEach(async () => {
  log = await LogDatabase.create();
});
afterEach(async () => {
  vi.restoreAllMocks();
  await log.close();
});

/** Reads the tail for ever; counts the looks for what others append. */
function follow({ log, database }: LogClient) {
  const stopping = new AbortController();
  const looks: string[] = [];
  const texts = database.texts.bind(database);
  vi.spyOn(database, 'texts').mockImplementation((statement) => {
    if (statement.name?.startsWith('kappa_grown')) looks.push(statement.name);
    return texts(statement);
  });
  const seen: LogBatch[] = [];
  const reading = (async () => {
    for await (const batch of log.read({ from: { [partitionKey(TOPIC, 0)]: 0 }, signal: stopping.signal })) seen.push(batch);
  })();
  return {
    looks,
    seen,
    stop: async () => {
      stopping.abort();
      await reading;
    },
  };
}

const record = { topic: TOPIC, partition: 0, key: 'a', value: Buffer.from('{}'), headers: {} };

it('looks seldom for what others append only while nobody else is connected', async () => {
  const client = await log.client({ ...OFTEN, alonePollIntervalMs: NEVER_MS, aloneAfterMs: 0 });
  await client.log.createTopic({ name: TOPIC, partitions: 1, retention: null });
  const other = new pg.Client({ connectionString: log.test.url });
  await other.connect();
  const reader = follow(client);
  try {
    // Long after it has grown quiet, and asks whether anybody is there, it still looks.
    await vi.waitUntil(() => reader.looks.filter((name) => name === 'kappa_grown_and_others').length > 20, UNTIL);
    await other.end();
    let looks = -1;
    await vi.waitUntil(
      () => {
        const before = looks;
        looks = reader.looks.length;
        return before === looks;
      },
      { timeout: 20_000, interval: 300 },
    );
    // What this process appends is read at once all the same.
    await client.log.append([record]);
    await vi.waitUntil(() => reader.seen.length > 0, UNTIL);
  } finally {
    await reader.stop();
  }
});

it('never looks seldom unless it is told to', async () => {
  const client = await log.client(OFTEN);
  await client.log.createTopic({ name: TOPIC, partitions: 1, retention: null });
  const reader = follow(client);
  try {
    await vi.waitUntil(() => reader.looks.length > 100, UNTIL);
    expect(new Set(reader.looks)).toEqual(new Set(['kappa_grown']));
  } finally {
    await reader.stop();
  }
});

it('goes on to look often for ten minutes after somebody was connected', async () => {
  const client = await log.client({ ...OFTEN, alonePollIntervalMs: NEVER_MS });
  await client.log.createTopic({ name: TOPIC, partitions: 1, retention: null });
  const other = new pg.Client({ connectionString: log.test.url });
  await other.connect();
  const reader = follow(client);
  try {
    // The second is sent when the first has been answered.
    await vi.waitUntil(() => reader.looks.filter((name) => name === 'kappa_grown_and_others').length > 1, UNTIL);
    await other.end();
    const looks = reader.looks.length;
    await vi.waitUntil(() => reader.looks.length > looks + 40, UNTIL);
  } finally {
    await reader.stop();
  }
});

it('sees what a process appended that came while it rested with the next look', async () => {
  const client = await log.client({ ...OFTEN, alonePollIntervalMs: 700, aloneAfterMs: 0 });
  await client.log.createTopic({ name: TOPIC, partitions: 1, retention: null });
  const reader = follow(client);
  try {
    await vi.waitUntil(() => reader.looks.at(-1) === 'kappa_grown_and_others', UNTIL);
    const other = await log.client(OFTEN);
    await other.log.append([record]);
    await vi.waitUntil(() => reader.seen.length > 0, UNTIL);
    const looks = reader.looks.length;
    // Alone it would look no more than forty times while this is waited for.
    await vi.waitUntil(() => reader.looks.length > looks + 80, UNTIL);
  } finally {
    await reader.stop();
  }
});
