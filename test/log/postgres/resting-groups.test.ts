import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { topicName } from '../../../src/kernel/names.js';
import type { GroupMember } from '../../../src/log/event-log.js';
import { LogDatabase, type LogClient } from './log-databases.js';

const TOPIC = topicName('resting');
/** Numbers that no other timer has. */
const BEAT_MS = 37;
const SESSION_MS = 372;
/** Less than three beats; a look comes at a whole multiple of it. */
const REST_MS = SESSION_MS / 4;
const isRest = (ms: number): boolean => ms >= REST_MS / 2 && ms < REST_MS * 1.5;
const UNTIL = { timeout: 20_000, interval: 10 };

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
  vi.restoreAllMocks();
});

async function join({ log }: LogClient): Promise<{ readonly member: GroupMember; readonly lost: string[] }> {
  const lost: string[] = [];
  const member = await log.join({
    group: 'resting',
    topics: [TOPIC],
    assigned: () => Promise.resolve({}),
    revoked: (_, reason) => Promise.resolve(void lost.push(reason)),
  });
  const poll = async (): Promise<void> => {
    while (!stopping.signal.aborted) await member.poll({ maxWaitMs: 10 });
  };
  polling.push(poll());
  return { member, lost };
}

it('are looked at when a renewal is due once nothing has changed for long, and by each heartbeat after a change', async () => {
  const timers = vi.spyOn(globalThis, 'setTimeout');
  /** From one look to the next, as they were planned since this was asked last. */
  const planned = (): readonly number[] => {
    const found = timers.mock.calls.flatMap(([, ms]) => (ms !== undefined && (ms === BEAT_MS || isRest(ms)) ? [ms] : []));
    timers.mockClear();
    return found;
  };
  const client = await log.client({ heartbeatMs: BEAT_MS, sessionTimeoutMs: SESSION_MS });
  await client.log.createTopic({ name: TOPIC, partitions: 4, retention: null });
  const texts = client.database.texts.bind(client.database);
  const looks: string[] = [];
  let fails = false;
  client.database.texts = (statement) => {
    if (!statement.name?.startsWith('kappa_group_')) return texts(statement);
    looks.push(statement.name);
    const lost = fails;
    fails = false;
    return lost ? Promise.reject(new Error('the connection is lost')) : texts(statement);
  };
  const atRest = async (): Promise<void> => {
    let last = planned();
    await vi.waitUntil(() => (last = [...last, ...planned()]).slice(-4).every(isRest) && last.length >= 4, UNTIL);
  };

  const first = await join(client);
  let before = planned();
  await vi.waitUntil(() => (before = [...before, ...planned()]).some(isRest), UNTIL);
  expect(before[0]).toBe(BEAT_MS);
  await atRest();
  expect(looks.slice(-3)).toEqual(Array.from({ length: 3 }, () => 'kappa_group_renew'));

  fails = true;
  planned();
  await vi.waitUntil(() => !fails, UNTIL);
  await vi.waitUntil(() => planned().includes(BEAT_MS), UNTIL);
  await atRest();

  const second = await join(await log.client({ heartbeatMs: BEAT_MS + 4, sessionTimeoutMs: SESSION_MS + 4 }));
  await vi.waitUntil(() => planned().includes(BEAT_MS), UNTIL);
  await vi.waitUntil(() => first.member.assignment.length === 2 && second.member.assignment.length === 2, UNTIL);
  await atRest();
  expect(first.member.assignment).toHaveLength(2);
});
