import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { LogBatch, GroupMember } from '../../src/log/event-log.js';
import { partitionKey } from '../../src/kernel/position.js';
import type { LogRecord } from '../../src/kernel/record.js';
import { PostgresLog } from '../../src/log/postgres/postgres-log.js';
import { Add, counters, Name } from './support/counter.js';
import { readsOf } from './support/statements-of.js';
import { WriteSide, type Writer } from './support/write-side.js';

let side: WriteSide;
let writer: Writer;
let member: GroupMember;

beforeAll(async () => {
  side = await WriteSide.start();
  writer = await side.writer();
  member = await join('close');
});
afterAll(async () => {
  await member.leave();
  await side.stop();
});

async function join(group: string, by = writer): Promise<GroupMember> {
  const joined = await by.log.join({
    group,
    topics: [counters.name],
    assigned: async () => ({}),
    revoked: async () => undefined,
  });
  await joined.poll({ maxWaitMs: 0 });
  return joined;
}

async function poll(reader = member): Promise<readonly LogBatch[]> {
  const batches: LogBatch[] = [];
  for (;;) {
    const polled = await reader.poll({ maxWaitMs: 0 });
    if (polled.length === 0) return batches;
    batches.push(...polled);
  }
}

it('are given what this process appends without a query, and it is what stands in the log', async () => {
  await poll();
  const reads = readsOf(writer);
  for (let n = 0; n < 30; n += 1) await writer.commands.execute(new Add(`near-${n % 7}`, n, 1 + (n % 3)));
  await writer.commands.execute(new Name('near-1', 'Zoë "☕"\n\ud83d\ude00'), {
    tenant: 'acme',
    occurredAt: '2026-01-31T12:00:00+01:00',
  });
  const records = (await poll()).flatMap((batch) => batch.records);
  expect(reads()).toBe(0);
  const fresh = new PostgresLog(writer.database);
  const ends = await fresh.offsets(counters.name);
  const positions = (end: boolean) =>
    Object.fromEntries(ends.map((one) => [partitionKey(counters.name, one.partition), end ? one.end : 0]));
  const stands: LogRecord[] = [];
  for await (const batch of fresh.read({ from: positions(false), to: positions(true) })) stands.push(...batch.records);
  await fresh.stop();
  expect(records).toHaveLength(61);
  expect(comparable(records)).toEqual(comparable(stands));
});

/** In the order of partitions and offsets, bytes as text. */
function comparable(records: readonly LogRecord[]): readonly unknown[] {
  return records
    .toSorted((a, b) => a.partition - b.partition || a.offset - b.offset)
    .map((record) => ({ ...record, value: Buffer.from(record.value ?? []).toString('utf8') }));
}

it('are given in order what other processes append in between', async () => {
  await poll();
  const other = await side.executor();
  for (let n = 0; n < 20; n += 1) await (n % 3 === 0 ? other : writer.commands).execute(new Add('between', 1));
  const versions = (await poll()).flatMap(({ records }) => records.map(({ headers }) => headers['ce_streamversion']));
  expect(versions).toEqual(Array.from({ length: 20 }, (_, n) => String(n + 1)));
});

it('are given without a query what a faster one was given before, and nobody keeps what all were given', async () => {
  await poll();
  const slow = await join('slow');
  await poll(slow);
  const reads = readsOf(writer);
  const add = async (times: number): Promise<void> => {
    for (let n = 0; n < times; n += 1) await writer.commands.execute(new Add('shared', 1));
  };
  await add(10);
  expect(recordsIn(await poll())).toHaveLength(10);
  await add(10);
  expect(recordsIn(await poll(slow))).toHaveLength(20);
  expect(recordsIn(await poll())).toHaveLength(10);
  expect(reads()).toBe(0);

  await add(1);
  const [last] = recordsIn(await poll(slow));
  await slow.leave();
  // Only the member that stays has not been given this one.
  await add(1);
  if (!last) throw new Error('nothing was read');
  member.seek(counters.name, last.partition, last.offset);
  expect(recordsIn(await poll())).toHaveLength(2);
  expect(reads()).toBe(0);
  member.seek(counters.name, last.partition, last.offset);
  await add(1);
  expect(recordsIn(await poll())).toHaveLength(3);
  expect(reads()).toBe(0);
  await add(1);
  member.seek(counters.name, last.partition, last.offset);
  expect(recordsIn(await poll())).toHaveLength(4);
  expect(reads()).toBeGreaterThan(0);
});

it('are not given by who comes later what the log has lost meanwhile', async () => {
  const alone = await side.writer();
  const joined = (group: string): Promise<GroupMember> => join(group, alone);
  const first = await joined('before');
  for (let n = 1; n <= 3; n += 1) await alone.commands.execute(new Add('lost', n));
  await first.leave();
  await side.database.query(`delete from log_records where key = 'lost' and version > 1`);
  await side.database.query(`delete from commands where stream like '%/lost' and first_version > 1`);
  for (const n of [100, 200]) await alone.commands.execute(new Add('lost', n));
  const second = await joined('after');
  const values = recordsIn(await poll(second))
    .filter(({ key }) => key === 'lost')
    .map(({ value }) => (JSON.parse(Buffer.from(value ?? []).toString()) as { n: number }).n);
  expect(values).toEqual([1, 100, 200]);
  await second.leave();
});

it('are waited for by a stop of the log while they leave', async () => {
  const alone = await side.writer();
  const leaving = await join('leaving', alone);
  const order: string[] = [];
  let stopped: Promise<unknown> = Promise.resolve();
  await side.database.transaction(async (on) => {
    await on.query(`select from group_members where group_name = 'leaving' for update`);
    const left = leaving.leave().then(() => order.push('left'));
    // Its leave is under way, and waits for the row.
    await expect
      .poll(async () => (await side.database.query(`select from pg_locks where not granted`)).rowCount, { interval: 5 })
      .toBeGreaterThan(0);
    stopped = Promise.all([left, alone.log.stop().then(() => order.push('stopped'))]);
    await sleep(100);
    expect(order).toEqual([]);
  });
  await stopped;
  expect(order).toEqual(['left', 'stopped']);
});

function recordsIn(batches: readonly LogBatch[]): readonly LogRecord[] {
  return batches.flatMap(({ records }) => records);
}
