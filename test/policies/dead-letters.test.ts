import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { policy, type KappaOptions, type PolicyDefinition } from 'nest-kappa';
import { DeadLetterStore } from '../../src/database/dead-letters/dead-letter-store.js';
import type { KappaRuntime } from '../../src/modules/kappa/kappa-runtime.js';
import { openKappa } from '../../src/modules/kappa/open-kappa.js';
import { createMigratedDatabase } from '../../src/testing/migrated-database.js';
import type { TestDatabase } from '../../src/testing/test-server.js';
import { aggregates, fines, gate, pay, reacting, SendReceipt, sent, statusOf, until } from './support/receipts.js';

let made: TestDatabase;
const running: KappaRuntime[] = [];

beforeEach(async () => {
  made = await createMigratedDatabase();
});
afterEach(async () => {
  await Promise.all(running.splice(0).map((kappa) => kappa.stop()));
  await made.drop();
});

async function start(policies: readonly PolicyDefinition[], options: KappaOptions = {}): Promise<KappaRuntime> {
  const kappa = await openKappa({ database: { url: made.url }, ...options }, { aggregates, policies }, { env: {} });
  running.push(kappa);
  return kappa;
}

async function stop(kappa: KappaRuntime): Promise<void> {
  running.splice(running.indexOf(kappa), 1);
  await kappa.stop();
}

async function handled(kappa: KappaRuntime): Promise<void> {
  await until(async () => (await statusOf(kappa)).behind === 0);
}

async function halted(kappa: KappaRuntime) {
  return until(async () => (await statusOf(kappa)).error);
}

const base = (more: Partial<Parameters<typeof policy>[0]> = {}) =>
  policy({ name: 'send-receipts', startAt: 'beginning', deadLetters: { retries: 1 }, ...more, from: [fines] });

/** Fails at events whose amount is in the list. */
function failingAt(amounts: ReadonlySet<number>, definition = base()): PolicyDefinition {
  return reacting((e) => {
    if (amounts.has(e.data.cents)) throw new Error(`no receipt for ${e.data.cents}`);
    return new SendReceipt(e.stream.id, `${e.data.cents}`);
  }, definition);
}

const letters = (kappa: KappaRuntime) => new DeadLetterStore(kappa.database);

async function open(kappa: KappaRuntime) {
  return letters(kappa).list({ owners: ['policy:send-receipts'], states: ['letter', 'follower'], limit: 100 });
}

async function ask(kappa: KappaRuntime, what: 'retry' | 'discard'): Promise<void> {
  const ids = (await open(kappa)).filter(({ state }) => state === 'letter').map(({ id }) => id);
  await letters(kappa).request(ids, what, { by: 'ann', why: 'a test' });
}

describe('an event that fails a policy', () => {
  it('is set aside with the later ones of its key, and the others go on', async () => {
    const kappa = await start([failingAt(new Set([13]))]);
    await Promise.all([pay(kappa, 'a', 1, 13, 2), pay(kappa, 'b', 1, 2), pay(kappa, 'c', 3)]);
    await handled(kappa);
    expect([await sent(kappa, 'a'), await sent(kappa, 'b'), await sent(kappa, 'c')]).toEqual([['1'], ['1', '2'], ['3']]);
    expect(await open(kappa)).toMatchObject([
      { key: 'a', state: 'letter', attempts: 2, reason: { code: 'KAPPA_HANDLER_FAILED', message: 'no receipt for 13' } },
      { key: 'a', state: 'follower' },
    ]);
    expect(await statusOf(kappa)).toMatchObject({ error: null, letters: { letters: 1, followers: 1 } });
    await pay(kappa, 'a', 5);
    await handled(kappa);
    expect(await sent(kappa, 'a')).toEqual(['1']);
  });

  it('is retried in order with those behind it, while the policy goes on', async () => {
    const bad = new Set([13]);
    const kappa = await start([failingAt(bad)]);
    await pay(kappa, 'a', 13, 1);
    await handled(kappa);
    bad.clear();
    await ask(kappa, 'retry');
    await pay(kappa, 'a', 2);
    await until(async () => (await sent(kappa, 'a')).length === 3);
    expect(await sent(kappa, 'a')).toEqual(['13', '1', '2']);
    await until(async () => (await open(kappa)).length === 0);
    await pay(kappa, 'a', 3);
    await until(async () => (await sent(kappa, 'a')).length === 4);
  });

  it('is retried also where events beside it took longer', async () => {
    const before = await start([]);
    await pay(before, 'a', 13);
    await pay(before, 'b', 1);
    await stop(before);
    const bad = new Set([13]);
    const slow = gate();
    const definition = reacting(async (e) => {
      if (e.stream.id === 'b') await slow.opened;
      if (bad.has(e.data.cents)) throw new Error(`no receipt for ${e.data.cents}`);
      return new SendReceipt(e.stream.id, `${e.data.cents}`);
    }, base());
    const kappa = await start([definition]);
    await until(async () => (await open(kappa)).length === 1);
    slow.open();
    await handled(kappa);
    bad.clear();
    await ask(kappa, 'retry');
    await until(async () => (await sent(kappa, 'a')).length === 1);
  });

  it('that fails again stays what it was, and so do those behind it', async () => {
    const kappa = await start([failingAt(new Set([13]))]);
    await pay(kappa, 'a', 13, 1);
    await handled(kappa);
    await ask(kappa, 'retry');
    await until(async () => (await open(kappa))[0]?.attempts === 3);
    expect(await sent(kappa)).toEqual([]);
    expect(await open(kappa)).toMatchObject([{ state: 'letter', request: null }, { state: 'follower' }]);
  });

  it('is left out when it is discarded, and those behind it go on', async () => {
    const kappa = await start([failingAt(new Set([13]))]);
    await pay(kappa, 'a', 13, 1);
    await handled(kappa);
    await ask(kappa, 'discard');
    await until(async () => (await sent(kappa, 'a')).length === 1);
    expect(await sent(kappa, 'a')).toEqual(['1']);
    await until(async () => (await statusOf(kappa)).letters.discarded === 1);
  });

  it('keeps its key aside over a restart', async () => {
    const first = await start([failingAt(new Set([13]))]);
    await pay(first, 'a', 13);
    await handled(first);
    await stop(first);
    const again = await start([failingAt(new Set())]);
    await pay(again, 'a', 1);
    await handled(again);
    expect(await sent(again)).toEqual([]);
    await ask(again, 'retry');
    await until(async () => (await sent(again)).length === 2);
    expect(await sent(again)).toEqual(['13', '1']);
  });

  it('may be one that cannot be read', async () => {
    const kappa = await start([failingAt(new Set())]);
    await pay(kappa, 'a', 1);
    await handled(kappa);
    await kappa.log.append([
      { topic: fines.name, partition: 0, key: 'x', value: Buffer.from('{'), headers: { ce_type: 'payment.received' } },
    ]);
    await handled(kappa);
    expect(await open(kappa)).toMatchObject([{ key: 'x', reason: { code: 'KAPPA_UNDECODABLE' } }]);
  });

  it('halts its policy where it says so; corrected code goes on from there and clears the error', async () => {
    const first = await start([failingAt(new Set([13]), base({ deadLetters: { halt: true, retries: 0 } }))]);
    await pay(first, 'a', 1, 13, 2);
    expect(await halted(first)).toMatchObject({
      code: 'KAPPA_HANDLER_FAILED',
      at: { topic: 'fines', type: 'payment.received' },
      message: expect.stringContaining('no receipt for 13') as string,
    });
    expect(await sent(first)).toEqual(['1']);
    expect((await first.health.ready()).reasons).toEqual([expect.stringContaining('policy send-receipts is halted')]);
    await stop(first);
    const corrected = await start([failingAt(new Set())]);
    await handled(corrected);
    expect(await sent(corrected)).toEqual(['1', '13', '2']);
    await until(async () => (await statusOf(corrected)).error === null);
    expect(await corrected.health.ready()).toEqual({ ready: true, reasons: [] });
  });

  it('halts its policy when too many stand aside, which goes on by itself when they are settled', async () => {
    const bad = new Set([13]);
    const kappa = await start([failingAt(bad, base({ deadLetters: { maxLetters: 2, retries: 0 } }))]);
    await pay(kappa, 'a', 13, 1);
    await handled(kappa);
    await pay(kappa, 'b', 13, 7);
    expect(await halted(kappa)).toMatchObject({ code: 'KAPPA_TOO_MANY_DEAD_LETTERS' });
    bad.clear();
    await ask(kappa, 'retry');
    await until(async () => (await sent(kappa)).length === 4);
    await until(async () => (await statusOf(kappa)).error === null);
    expect(await sent(kappa, 'b')).toEqual(['13', '7']);
  });
});

describe('a command that is refused', () => {
  const refusing = (definition = base()): PolicyDefinition =>
    reacting((e) => [new SendReceipt(e.stream.id, 'refuse me'), new SendReceipt(e.stream.id, 'after')], definition);

  it('is a final answer: the event is set aside at once, and not tried again by itself', async () => {
    const kappa = await start([refusing(base({ deadLetters: { retries: 1_000 } }))]);
    await pay(kappa, 'a', 1);
    await handled(kappa);
    expect(await open(kappa)).toMatchObject([{ attempts: 1, reason: { code: 'receipt.refused' } }]);
    expect(await sent(kappa)).toEqual([]);
  });

  it('is counted and passed over where the policy ignores it', async () => {
    const kappa = await start([refusing(base({ onRefusal: 'ignore' }))]);
    await pay(kappa, 'a', 1, 2);
    await handled(kappa);
    expect(await statusOf(kappa)).toMatchObject({ refused: 2, letters: { letters: 0 } });
    expect(await sent(kappa)).toEqual(['after', 'after']);
  });
});

describe('a later owner', () => {
  it('sees what the former has set aside, and nothing that it had not committed', async () => {
    const waiting = gate();
    const went = gate();
    const slow = reacting(
      async (e) => {
        waiting.open();
        await went.opened;
        throw new Error(`the former owner fails at ${e.data.cents}`);
      },
      base({ deadLetters: { retries: 0 } }),
    );
    const former = await start([slow]);
    await pay(former, 'a', 1);
    await waiting.opened;
    // Claimed by somebody else while the former still handles it.
    await former.database.query('update policy_progress set owner_epoch = owner_epoch + 1');
    went.open();
    await until(async () => (await open(former)).length === 1);
    expect(await open(former)).toMatchObject([{ attempts: 1 }]);
  });
});
