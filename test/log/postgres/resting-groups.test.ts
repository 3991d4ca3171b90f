import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { topicName } from '../../../src/kernel/names.js';
import type { GroupMember } from '../../../src/log/event-log.js';
import { LogDatabase, type LogClient } from './log-databases.js';

const TOPIC = topicName('resting');
const BEAT_MS = 30;
/** A quarter of it, which is less than three beats, is the pace at rest. */
const SESSION_MS = 300;
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
});

interface Look {
  readonly gap: number;
  readonly renews: boolean;
}

/** A client, and its looks at its groups: those of its heart, not those that follow upon a change of its own. */
async function watched(): Promise<{ readonly client: LogClient; readonly looks: Look[]; failNext(): void }> {
  const client = await log.client({ heartbeatMs: BEAT_MS, sessionTimeoutMs: SESSION_MS });
  const looks: Look[] = [];
  let [last, own, fails] = [performance.now(), false, false];
  const query = client.database.query.bind(client.database);
  client.database.query = ((statement: string, values?: readonly unknown[]) => {
    own = /group_members|group_partitions/.test(statement);
    return query(statement, values);
  });
  const texts = client.database.texts.bind(client.database);
  client.database.texts = async (statement) => {
    if (!statement.name?.startsWith('kappa_group_')) return texts(statement);
    const now = performance.now();
    if (!own) looks.push({ gap: now - last, renews: statement.name.endsWith('renew') });
    [last, own] = [now, false];
    if (fails) {
      fails = false;
      throw new Error('the connection is lost');
    }
    return texts(statement);
  };
  return { client, looks, failNext: () => void (fails = true) };
}

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

const isOfRest = ({ gap }: Look): boolean => gap > 2 * BEAT_MS;
const atRest = (looks: readonly Look[]): boolean => looks.length >= 6 && looks.slice(-6).every(isOfRest);

it('are looked at when a renewal is due once nothing has changed for long, and by each heartbeat after a change', async () => {
  const { client, looks, failNext } = await watched();
  await client.log.createTopic({ name: TOPIC, partitions: 4, retention: null });
  const first = await join(client);
  await vi.waitUntil(() => atRest(looks), UNTIL);
  expect(looks.slice(0, 10).some((look) => !isOfRest(look))).toBe(true);
  // Each of them renews, and comes before three beats are over.
  expect(looks.slice(-6).every(({ renews }) => renews)).toBe(true);
  expect(looks.slice(-6).some(({ gap }) => gap < 2.9 * BEAT_MS)).toBe(true);

  failNext();
  let since = looks.length;
  await vi.waitUntil(() => looks.length >= since + 4, UNTIL);
  expect(looks.slice(since + 1, since + 4).some((look) => !isOfRest(look))).toBe(true);
  await vi.waitUntil(() => atRest(looks), UNTIL);

  const second = await join((await watched()).client);
  await vi.waitUntil(() => first.member.assignment.length === 2 && second.member.assignment.length === 2, UNTIL);
  since = looks.length;
  await vi.waitUntil(() => looks.length >= since + 4, UNTIL);
  expect(looks.slice(since, since + 4).some((look) => !isOfRest(look))).toBe(true);
  await vi.waitUntil(() => atRest(looks), UNTIL);
  await sleep(SESSION_MS);
  expect([...first.lost, ...second.lost]).not.toContain('lost');
});
