import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { topicName } from '../../../src/kernel/names.js';
import type { GroupMember } from '../../../src/log/event-log.js';
import { LogDatabase, type LogClient } from './log-databases.js';

const TOPIC = topicName('resting');
const BEAT_MS = 37;
const SESSION_MS = 372;
/** Less than three beats. */
const REST_MS = SESSION_MS / 4;
/** Of a timer of this time: the looks of a group at rest come at whole multiples of the clock, which others meet by chance. */
function kindOf(ms: number): 'beat' | 'rest' | null {
  if (ms === BEAT_MS) return 'beat';
  const apart = Math.abs(((performance.now() + ms + REST_MS / 2) % REST_MS) - REST_MS / 2);
  return ms > REST_MS / 8 && ms < REST_MS * 1.2 && apart < 1 ? 'rest' : null;
}
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
  const looksPlanned: ('beat' | 'rest')[] = [];
  const set = globalThis.setTimeout;
  vi.spyOn(globalThis, 'setTimeout').mockImplementation((...timer: Parameters<typeof set>) => {
    const kind = kindOf(timer[1] ?? 0);
    if (kind) looksPlanned.push(kind);
    return set(...timer);
  });
  /** From one look to the next, as they were planned since this was asked last. */
  const planned = (): readonly ('beat' | 'rest')[] => looksPlanned.splice(0);
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
    await vi.waitUntil(
      () => (last = [...last, ...planned()]).slice(-4).every((kind) => kind === 'rest') && last.length >= 4,
      UNTIL,
    );
  };

  const first = await join(client);
  let before = planned();
  await vi.waitUntil(() => (before = [...before, ...planned()]).includes('rest'), UNTIL);
  expect(before[0]).toBe('beat');
  await atRest();
  expect(looks.slice(-3)).toEqual(Array.from({ length: 3 }, () => 'kappa_group_renew'));

  fails = true;
  planned();
  await vi.waitUntil(() => !fails, UNTIL);
  await vi.waitUntil(() => planned().includes('beat'), UNTIL);
  await atRest();

  const second = await join(await log.client({ heartbeatMs: BEAT_MS + 4, sessionTimeoutMs: SESSION_MS + 4 }));
  await vi.waitUntil(() => planned().includes('beat'), UNTIL);
  await vi.waitUntil(() => first.member.assignment.length === 2 && second.member.assignment.length === 2, UNTIL);
  await atRest();
  expect(first.member.assignment).toHaveLength(2);
});
