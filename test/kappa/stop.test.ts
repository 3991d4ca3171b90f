import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { StopStack } from '../../src/modules/kappa/stop-stack.js';
import { openKappa } from '../../src/modules/kappa/open-kappa.js';
import { createMigratedDatabase } from '../../src/testing/migrated-database.js';
import type { TestDatabase } from '../../src/testing/test-server.js';
import { aggregates, gate, pay, reacting, SendReceipt, sent, until } from '../policies/support/receipts.js';

describe('a stop stack', () => {
  it('stops last first, each once, and tells the first error when all have been tried', async () => {
    const stopped: string[] = [];
    const stops = new StopStack();
    stops.add('first', async () => void stopped.push('first'));
    stops.add('second', async () => {
      stopped.push('second');
      throw new Error('it broke');
    });
    stops.add('third', async () => void stopped.push('third'));
    await expect(Promise.all([stops.run(), stops.run()])).rejects.toThrow('it broke');
    expect(stopped).toEqual(['third', 'second', 'first']);
  });

  it('gives up after its limit with what was under way, and has tried all the others', async () => {
    const hung = gate();
    const stopped: string[] = [];
    const stops = new StopStack();
    stops.add('database', async () => void stopped.push('database'));
    stops.add(
      'policies',
      () => hung.opened,
      () => ['a receipt'],
    );
    stops.add('projections', async () => void stopped.push('projections'));
    await expect(stops.run({ limitMs: 20 })).rejects.toMatchObject({
      code: 'KAPPA_STOP_TIMEOUT',
      message: expect.stringContaining('did not stop within 0.02 s; still under way: policies (a receipt)') as string,
    });
    expect(stopped).toEqual(['projections', 'database']);
    hung.open();
  });
});

describe('an application that stops', () => {
  let made: TestDatabase;
  beforeEach(async () => {
    made = await createMigratedDatabase();
  });
  afterEach(() => made.drop());

  const open = (react: Parameters<typeof reacting>[0], shutdownTimeoutMs?: number) =>
    openKappa(
      { database: { url: made.url }, ...(shutdownTimeoutMs === undefined ? {} : { shutdownTimeoutMs }) },
      { aggregates, policies: [reacting(react)] },
      { env: {} },
    );

  it('ends the events that are being handled, commits them and begins no other', async () => {
    const begun = gate();
    const goOn = gate();
    let handled = 0;
    const kappa = await open(async (e) => {
      handled += 1;
      begun.open();
      await goOn.opened;
      return new SendReceipt(e.stream.id, `${e.data.cents}`);
    });
    await pay(kappa, 'a', 1, 2, 3);
    await begun.opened;
    const stopping = kappa.stop();
    goOn.open();
    await stopping;
    expect(handled).toBe(1);
    const next = await open(() => null);
    expect(await sent(next)).toEqual(['1']);
    await until(async () => (await next.policies.status())[0]?.behind === 0);
    const { rows } = await next.database.query<{ n: number }>('select sum(next_offset)::int as n from policy_progress');
    expect(rows[0]?.n).toBe(3);
    await next.stop();
  });

  it('names the event that does not end, and closes what it can', async () => {
    const begun = gate();
    const never = gate();
    const kappa = await open(async () => {
      begun.open();
      await never.opened;
    }, 50);
    await pay(kappa, 'a', 1);
    await begun.opened;
    await expect(kappa.stop()).rejects.toMatchObject({
      code: 'KAPPA_STOP_TIMEOUT',
      message: expect.stringMatching(
        /policies \(policy send-receipts handles payment\.received at fines\/\d offset 0\).*Nothing is lost/,
      ) as string,
    });
    never.open();
    const after = await open(() => null);
    expect((await after.policies.status())[0]).toMatchObject({ error: null });
    await after.stop();
  });
});
