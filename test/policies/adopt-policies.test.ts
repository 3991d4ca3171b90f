import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { policy, topic } from 'nest-kappa';
import { startKappaTest, type KappaTest } from 'nest-kappa/testing';
import { partitionKey, type Position } from '../../src/kernel/position.js';
import type { AnyTopic } from '../../src/kernel/topic.js';
import { MemoryLog } from '../../src/log/memory/memory-log.js';
import { adoptPolicies } from '../../src/modules/policies/adopt-policies.js';
import type { PolicyDefinition } from '../../src/modules/policies/policy.js';
import { PolicyStore } from '../../src/modules/policies/policy-store.js';
import { aggregates, fines, pay, PaymentReceived, sendReceipts, SendReceipt, statusOf } from './support/receipts.js';

/** Written by somebody else, so that no relay copies it. */
const branch = topic('branch', { partitions: 2, events: [PaymentReceived] });
const readingBoth = policy({ name: 'send-receipts', from: [fines, branch], startAt: 'beginning' }).on(
  PaymentReceived,
  (e) => new SendReceipt(e.stream.id, 'sent'),
);

describe('a policy whose log is moved', () => {
  let kappa: KappaTest;
  let target: MemoryLog;
  beforeEach(async () => {
    target = new MemoryLog();
    await target.start();
  });
  afterEach(async () => {
    await target.stop();
    await kappa.stop();
  });

  /** An application whose policy has handled all; the new log has the topics that are relayed. */
  async function start(definition: PolicyDefinition, relayed: readonly AnyTopic[] = [fines]): Promise<void> {
    kappa = await startKappaTest({ aggregates, policies: [definition] });
    await pay(kappa, 'a', 1, 2);
    await pay(kappa, 'b', 3);
    await kappa.caughtUp();
    for (const { name, partitions } of relayed) await target.createTopic({ name, partitions, retention: null });
  }

  /** What stands in fines, less so many of each partition. */
  async function proven(less = 0): Promise<Position> {
    const ends = await kappa.log.offsets(fines.name);
    return Object.fromEntries(ends.map(({ partition, end }) => [partitionKey(fines.name, partition), Math.max(0, end - less)]));
  }

  const adopt = async (upTo: Position, policies: readonly PolicyDefinition[]) =>
    adoptPolicies(
      { database: kappa.database, from: kappa.log, to: target, proven: upTo },
      new PolicyStore(kappa.database),
      policies,
    );
  const progress = async () => (await statusOf(kappa)).progress;
  const reasonOf = (reason: string) => ({
    adopted: [],
    left: [{ policy: 'send-receipts', reason: expect.stringContaining(reason) as string }],
  });

  it('stands on the new log where it stood on the old one, and what the move had halted goes on', async () => {
    await start(sendReceipts);
    const error = { code: 'KAPPA_LOG_CHANGED', message: '', stack: null, at: null, since: '' };
    await new PolicyStore(kappa.database).setError('send-receipts', error);
    const before = await progress();
    expect(await adopt(await proven(), [sendReceipts])).toEqual({ adopted: ['send-receipts'], left: [] });
    const log = { ...(await target.identity()), incarnation: (await target.describeTopic(fines.name))?.incarnation };
    expect(await progress()).toEqual(before.map((line) => ({ ...line, log })));
    expect((await statusOf(kappa)).error).toBeNull();
    expect(await adopt(await proven(), [sendReceipts])).toEqual({ adopted: [], left: [] });
  });

  it('moves also where its code is not there, and where its code reads a topic no more that is not relayed', async () => {
    await start(readingBoth);
    const before = await progress();
    expect(await adopt(await proven(), [])).toEqual(reasonOf('it reads branch, which is not relayed'));
    expect(await progress()).toEqual(before);
    expect(await adopt(await proven(), [sendReceipts])).toEqual({ adopted: ['send-receipts'], left: [] });
    expect((await progress()).map(({ topic: name, log }) => `${name} ${log.driver}`)).toEqual([
      ...['branch postgres', 'branch postgres'],
      ...Array<string>(4).fill('fines memory'),
    ]);
  });

  it('moves wholly or not at all: not where it reads what is not relayed', async () => {
    await start(readingBoth);
    const before = await progress();
    expect(await adopt(await proven(), [readingBoth])).toEqual(reasonOf('it reads branch, which is not relayed'));
    expect(await progress()).toEqual(before);
  });

  it('stays where it has read more than was compared', async () => {
    await start(sendReceipts);
    expect(await adopt(await proven(1), [sendReceipts])).toEqual(reasonOf('was compared'));
  });

  it('stays where its topic was created again, or does not stand in the new log', async () => {
    await start(sendReceipts, []);
    expect(await adopt(await proven(), [sendReceipts])).toEqual(reasonOf('fines does not stand in the new log'));
    await kappa.database.query(`update policy_progress set topic_incarnation = 'former'`);
    expect(await adopt(await proven(), [sendReceipts])).toEqual(reasonOf('fines was deleted and created again since'));
  });
});
