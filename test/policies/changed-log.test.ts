import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { startKappaTest, type KappaTest } from 'nest-kappa/testing';
import { aggregates, pay, sendReceipts, sent, statusOf, until } from './support/receipts.js';

describe('a policy whose log has changed', () => {
  let kappa: KappaTest;
  beforeEach(async () => {
    kappa = await startKappaTest({ aggregates, policies: [sendReceipts] });
    await pay(kappa, 'a', 1, 2);
    await kappa.caughtUp();
  });
  afterEach(() => kappa.stop());

  const halted = () => until(async () => (await statusOf(kappa)).error);

  /** As where the log was set back: another owner, which has just claimed, is given positions beyond the end. */
  async function setBack(): Promise<void> {
    await kappa.database.query(
      `update policy_progress set next_offset = next_offset + 1000, owner_epoch = owner_epoch + 1 where next_offset > 0`,
    );
    await pay(kappa, 'a', 3);
  }

  it('halts while it runs, with the command that lets it go on, when what is stored lies beyond the end', async () => {
    await setBack();
    expect(await halted()).toMatchObject({
      code: 'KAPPA_LOG_CHANGED',
      message: expect.stringMatching(/lies beyond the end.*npx nest-kappa policies accept send-receipts/) as string,
    });
  });

  it('goes on at the end of what has changed once that is accepted, and elsewhere where it stood', async () => {
    await setBack();
    await halted();
    const before = (await statusOf(kappa)).progress;
    const planned = await kappa.policies.accept('send-receipts', { dryRun: true });
    expect((await statusOf(kappa)).progress).toEqual(before);
    expect(await kappa.policies.accept('send-receipts')).toEqual(planned);
    expect(planned).toEqual([{ topic: 'fines', partition: expect.any(Number) as number, from: 1002, to: 3 }]);
    await pay(kappa, 'a', 4);
    await kappa.caughtUp();
    expect((await sent(kappa, 'a')).at(-1)).toBe('4 #4');
    expect((await statusOf(kappa)).error).toBeNull();
  });

  it('handles what stands in a topic that was created again from its begin where that is asked for, each command once', async () => {
    await kappa.database.query(`update policy_progress set topic_incarnation = 'former'`);
    await setBack();
    await halted();
    expect(await kappa.policies.accept('send-receipts', { at: 'begin' })).toHaveLength(4);
    await kappa.caughtUp();
    expect(await sent(kappa, 'a')).toEqual(['1 #1', '2 #2', '3 #3']);
    expect(await kappa.policies.accept('send-receipts')).toEqual([]);
  });
});
