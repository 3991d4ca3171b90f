import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { topicName } from '../../../src/kernel/names.js';
import type { GroupMember } from '../../../src/log/event-log.js';
import { LogDatabase, type LogClient } from './log-databases.js';

const TOPIC = topicName('resting');
const BEAT_MS = 20;

let log: LogDatabase;
const stopping = new AbortController();
const polling: Promise<void>[] = [];
beforeAll(async () => {
  log = await LogDatabase.create();
});
afterAll(async () => {
  stopping.abort();
  await Promise.all(polling);
  await log.close();
});

async function join(client: LogClient): Promise<GroupMember> {
  const member = await client.log.join({
    group: 'resting',
    topics: [TOPIC],
    assigned: () => Promise.resolve({}),
    revoked: () => Promise.resolve(),
  });
  const poll = async (): Promise<void> => {
    while (!stopping.signal.aborted) await member.poll({ maxWaitMs: 10 });
  };
  polling.push(poll());
  return member;
}

it('looks at groups at every third heartbeat once nothing has changed for long, renews its seats, and still shares', async () => {
  const client = await log.client({ heartbeatMs: BEAT_MS, sessionTimeoutMs: 1_000 });
  await client.log.createTopic({ name: TOPIC, partitions: 4, retention: null });
  const texts = client.database.texts.bind(client.database);
  const looks: { readonly at: number; readonly renews: boolean }[] = [];
  client.database.texts = (statement) => {
    if (statement.name?.startsWith('kappa_group_'))
      looks.push({ at: performance.now(), renews: statement.name.endsWith('renew') });
    return texts(statement);
  };
  const first = await join(client);
  const isAtRest = (): boolean => {
    const last = looks.slice(-8);
    return last.length === 8 && last.every(({ at }, n) => n === 0 || at - (last[n - 1]?.at ?? 0) >= 2.5 * BEAT_MS);
  };
  await vi.waitUntil(isAtRest, { timeout: 20_000, interval: 10 });
  expect(looks.slice(-8).some(({ renews }) => renews)).toBe(true);
  const second = await join(await log.client({ heartbeatMs: BEAT_MS, sessionTimeoutMs: 1_000 }));
  await vi.waitUntil(() => first.assignment.length === 2 && second.assignment.length === 2, { timeout: 20_000, interval: 10 });
});
