import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { policy, RetriableError, type KappaDefinitions, type KappaOptions, type PolicyDefinition } from 'nest-kappa';
import type { KappaRuntime } from '../../src/modules/kappa/kappa-runtime.js';
import { openKappa } from '../../src/modules/kappa/open-kappa.js';
import { createMigratedDatabase } from '../../src/testing/migrated-database.js';
import type { TestDatabase } from '../../src/testing/test-server.js';
import {
  aggregates,
  CreateFine,
  FineCreated,
  fines,
  gate,
  pay,
  PaymentReceived,
  PayFine,
  reacting,
  receiptRecords,
  SendReceipt,
  SendReceipts,
  sendReceipts,
  sent,
  statusOf,
  until,
} from './support/receipts.js';

let made: TestDatabase;
const running: KappaRuntime[] = [];

beforeEach(async () => {
  made = await createMigratedDatabase();
});
afterEach(async () => {
  await Promise.all(running.splice(0).map((kappa) => kappa.stop()));
  await made.drop();
});

async function start(definitions: KappaDefinitions = {}, options: KappaOptions = {}): Promise<KappaRuntime> {
  const database = { url: made.url };
  const kappa = await openKappa({ name: 'policies', database, ...options }, { aggregates, ...definitions }, { env: {} });
  running.push(kappa);
  return kappa;
}

async function startPolicy(...policies: readonly PolicyDefinition[]): Promise<KappaRuntime> {
  return start({ policies });
}

async function stop(kappa: KappaRuntime): Promise<void> {
  running.splice(running.indexOf(kappa), 1);
  await kappa.stop();
}

async function handled(kappa: KappaRuntime, name?: string): Promise<void> {
  await until(async () => (await statusOf(kappa, name)).behind === 0);
}

/** How many processes share the policy, and how many of them own a partition of it. */
async function sharing(kappa: KappaRuntime, name = 'send-receipts'): Promise<{ members: number; owners: number }> {
  const { rows } = await kappa.database.query<{ members: number; owners: number }>(
    `select count(distinct m.member) as members, count(distinct p.owner) as owners
       from group_members m left join group_partitions p on p.group_name = m.group_name and p.owner = m.member
      where m.group_name like '%.policy-' || $1`,
    [name],
  );
  return rows[0] ?? { members: 0, owners: 0 };
}

/** As after a crash between the commands and the commit of progress: all is handled again. */
async function handledAgain(kappa: KappaRuntime, ...policies: readonly PolicyDefinition[]): Promise<KappaRuntime> {
  await stop(kappa);
  const again = await start({}, { run: {} });
  await again.database.query('update policy_progress set next_offset = 0');
  const next = await startPolicy(...policies);
  await handled(next);
  return next;
}

describe('a policy', () => {
  it('executes the commands of each event, with the event as their cause', async () => {
    const kappa = await startPolicy(sendReceipts);
    await kappa.commands.execute(new CreateFine('a', 5));
    const { events } = await kappa.commands.execute(new PayFine('a', 3), { tenant: 'acme', correlationId: 'order-7' });
    await handled(kappa);
    expect(await receiptRecords(kappa)).toMatchObject([
      {
        key: 'acme/a',
        headers: { ce_tenant: 'acme', ce_correlationid: 'order-7', ce_causationid: events[0]?.id },
      },
    ]);
    expect(await statusOf(kappa)).toMatchObject({
      declared: true,
      startAt: 'beginning',
      runners: 1,
      behind: 0,
      refused: 0,
      error: null,
    });
  });

  it('executes several commands of one event, each once, also of one name', async () => {
    const several = reacting((e) => [
      new SendReceipt('x', 'first'),
      { command: new SendReceipt('x', 'second'), options: { tenant: null } },
      e && null,
    ]);
    const kappa = await startPolicy(several);
    await pay(kappa, 'a', 1);
    await handled(kappa);
    expect(await sent(await handledAgain(kappa, several), 'x')).toEqual(['first', 'second']);
  });

  it('starts at the end of what was there when any process of the application first saw it', async () => {
    const before = await start();
    await pay(before, 'a', 1);
    const late = policy({ name: 'late', from: [fines] }).on(
      PaymentReceived,
      (e) => new SendReceipt(e.stream.id, `${e.data.cents}`),
    );
    const api = await start({ policies: [late] }, { run: { commands: true } });
    await pay(api, 'a', 2);
    expect(await sent(api)).toEqual([]);
    const worker = await start({ policies: [late] }, { run: { policies: true } });
    await handled(worker, 'late');
    expect(await sent(api)).toEqual(['2']);
  });

  it('starts at the beginning where it says so, and where it stood after that', async () => {
    const writer = await start();
    await pay(writer, 'a', 1, 2);
    const first = await startPolicy(sendReceipts);
    await handled(first);
    await stop(first);
    await pay(writer, 'a', 3);
    await handled(await startPolicy(sendReceipts));
    expect(await sent(writer)).toEqual(['1 #1', '2 #2', '3 #3']);
  });

  it('handles events of one key in order and those of others at a time, no more than it may', async () => {
    const writer = await start();
    await Promise.all(['a', 'b', 'c', 'd'].map((id) => pay(writer, id, 1, 2, 3)));
    let now = 0;
    let most = 0;
    const all = gate();
    const bounded = policy({ name: 'send-receipts', from: [fines], startAt: 'beginning', concurrency: 3 });
    const kappa = await startPolicy(
      reacting(async (e) => {
        most = Math.max(most, (now += 1));
        if (now === 3) all.open();
        await all.opened;
        now -= 1;
        return new SendReceipt(e.stream.id, `${e.data.cents}`);
      }, bounded),
    );
    await handled(kappa);
    expect(most).toBe(3);
    for (const id of ['a', 'b', 'c', 'd']) expect(await sent(kappa, id)).toEqual(['1', '2', '3']);
  });

  it('takes a command that was carried out before for done, whatever the handler says now', async () => {
    let clock = 0;
    const clocked = reacting((e) => new SendReceipt(e.stream.id, `at ${(clock += 1)}`));
    const kappa = await startPolicy(clocked);
    await pay(kappa, 'a', 1, 1);
    await handled(kappa);
    const again = await handledAgain(kappa, clocked);
    expect(clock).toBe(4);
    expect(await sent(again)).toEqual(['at 1', 'at 2']);
    expect((await statusOf(again)).letters.letters).toBe(0);
  });

  it('gives a command of its own name the same id whatever stands beside it', async () => {
    let answer = (id: string): object[] => [new CreateFine(id, 1), new SendReceipt(id, 'once')];
    const changing = reacting((e) => (e.stream.id === 'a' ? answer('b') : null));
    const kappa = await startPolicy(changing);
    await pay(kappa, 'a', 1);
    await handled(kappa);
    answer = (id) => [new SendReceipt(id, 'once')];
    expect(await sent(await handledAgain(kappa, changing))).toEqual(['once']);
  });

  it('waits out what it waits for, and sets nothing aside for it', async () => {
    let tries = 0;
    const kappa = await startPolicy(
      reacting(() => {
        tries += 1;
        if (tries < 6)
          throw tries % 2
            ? new RetriableError('the mail server is away')
            : Object.assign(new Error('x'), { code: 'ECONNREFUSED' });
        return new SendReceipt('a', 'at last');
      }),
      // Retries are for events at fault.
    );
    await pay(kappa, 'a', 1);
    await handled(kappa);
    expect(await sent(kappa)).toEqual(['at last']);
    expect((await statusOf(kappa)).letters.letters).toBe(0);
  });

  it('is not run where run leaves it out', async () => {
    const kappa = await start({ policies: [sendReceipts] }, { run: { commands: true, projections: true } });
    await pay(kappa, 'a', 1);
    expect(await statusOf(kappa)).toMatchObject({ behind: 1 });
    const worker = await start({ policies: [sendReceipts] }, { run: { policies: true } });
    await expect(worker.commands.execute(new PayFine('a', 1))).rejects.toMatchObject({ code: 'KAPPA_COMMANDS_OFF' });
    await handled(worker);
    expect(await sent(worker)).toEqual(['1 #1']);
  });

  it('shares its partitions with any number of processes, and each event has one answer', async () => {
    const workers = await Promise.all([startPolicy(sendReceipts), startPolicy(sendReceipts), start()]);
    const ids = Array.from({ length: 20 }, (_, n) => `f${n}`);
    await Promise.all(ids.map((id) => pay(workers[2], id, 1, 2)));
    const third = await startPolicy(sendReceipts);
    await Promise.all(ids.map((id) => pay(third, id, 3)));
    await handled(third);
    for (const id of ids) expect(await sent(third, id)).toEqual(['1 #1', '2 #2', '3 #3']);
  });

  it('keeps its partitions until all under way is handled, and hands nothing over half done', async () => {
    const ids = Array.from({ length: 8 }, (_, n) => `f${n}`);
    const asked: string[] = [];
    const went = gate();
    const slow = reacting(async (e) => {
      asked.push(e.stream.id);
      await went.opened;
      return new SendReceipt(e.stream.id, `${e.data.cents}`);
    });
    const first = await startPolicy(slow);
    for (const id of ids) await pay(first, id, 1);
    await until(() => asked.length > 0);
    const second = await startPolicy(slow);
    await until(async () => (await sharing(second)).members === 2);
    // Longer than the two heartbeats after which the other would have what was given up at once.
    const over = performance.now() + 3_000;
    await until(() => new Set(asked).size < asked.length || performance.now() > over);
    went.open();
    await handled(second);
    expect(asked.toSorted()).toEqual(ids);
    await until(async () => (await sharing(second)).owners === 2);
  });

  it('goes on when a late claim of another takes its epoch, and answers once', async () => {
    const waiting = gate();
    const went = gate();
    const kappa = await startPolicy(
      reacting(async (e) => {
        waiting.open();
        await went.opened;
        return new SendReceipt(e.stream.id, `${e.data.cents}`);
      }),
    );
    await pay(kappa, 'a', 1);
    await waiting.opened;
    await kappa.database.query('update policy_progress set owner_epoch = owner_epoch + 1');
    went.open();
    await pay(kappa, 'a', 2);
    await handled(kappa);
    expect(await sent(kappa)).toEqual(['1', '2']);
  });

  it('moves over events that nobody handles, without a commit for each', async () => {
    const kappa = await startPolicy(sendReceipts);
    await kappa.database.query(`
      create table moved (at bigint);
      create function note_move() returns trigger language plpgsql as $$ begin insert into moved values (1); return null; end $$;
      create trigger note_move after update of next_offset on policy_progress for each statement execute function note_move()`);
    for (let n = 0; n < 40; n += 1) await kappa.commands.execute(new CreateFine('a', n));
    await handled(kappa);
    const { rows } = await kappa.database.query<{ n: number }>('select count(*) as n from moved');
    expect(rows[0]?.n).toBeLessThan(20);
    expect(await sent(kappa)).toEqual([]);
  });

  it('refuses another log than the one it has read', async () => {
    const first = await startPolicy(sendReceipts);
    await stop(first);
    const writer = await start();
    await writer.database.query(`update policy_progress set log_cluster = 'another'`);
    const kappa = await startPolicy(sendReceipts);
    const { error } = await until(async () => {
      const status = await statusOf(kappa);
      return status.error && status;
    });
    expect(error).toMatchObject({
      code: 'KAPPA_LOG_CHANGED',
      message: expect.stringContaining('npx nest-kappa policies accept send-receipts') as string,
    });
  });

  it('never runs in a rebuild: only its own progress makes it handle an event', async () => {
    const { balancesOf } = await import('./support/balances.js');
    const kappa = await start({ policies: [sendReceipts], projections: [balancesOf({ fines })] });
    await pay(kappa, 'a', 1, 2);
    await handled(kappa);
    for await (const _ of kappa.operations.rebuild({ projections: ['paid'], swap: true }));
    await pay(kappa, 'a', 3);
    await handled(kappa);
    expect(await sent(kappa)).toEqual(['1 #1', '2 #2', '3 #3']);
  });
});

describe('the definition of a policy', () => {
  it('is immutable: each on returns a new one', () => {
    expect(SendReceipts.handlers).toEqual([]);
    expect(sendReceipts.handlers).toHaveLength(1);
    expect(sendReceipts.on(FineCreated, () => null).handlers).toHaveLength(2);
    expect(Object.isFrozen(sendReceipts)).toBe(true);
  });

  it('is the same from a class with decorators', async () => {
    const { ReceiptPolicy } = await import('./support/receipt-policy.js');
    const kappa = await start({ policies: [ReceiptPolicy] });
    await pay(kappa, 'a', 1);
    await handled(kappa, 'decorated');
    expect(await sent(kappa)).toEqual(['from a class: 1']);
  });

  it.each([
    [{ name: 'a b', from: [fines] }, 'KAPPA_BAD_NAME'],
    [{ name: 'a', from: [] }, 'KAPPA_BAD_POLICY'],
    [{ name: 'a', from: [fines], startAt: 'begin' }, 'KAPPA_BAD_POLICY'],
    [{ name: 'a', from: [fines], concurrency: 0 }, 'KAPPA_BAD_POLICY'],
    [{ name: 'a', from: [fines], onRefusal: 'retry' }, 'KAPPA_BAD_POLICY'],
    [{ name: 'a', from: [fines], deadLetters: { retries: -1 } }, 'KAPPA_BAD_POLICY'],
  ])('%j is refused with %s', (options, code) => {
    expect(() => policy(options as never)).toThrow(expect.objectContaining({ code }) as Error);
  });

  it('tells what is wrong with those of an application, all at once', async () => {
    const twin = policy({ name: 'send-receipts', from: [fines] }).on(FineCreated, () => null);
    await expect(
      start({ policies: [sendReceipts, twin, policy({ name: 'idle', from: [fines] }), undefined as never] }),
    ).rejects.toMatchObject({
      code: 'KAPPA_BAD_OPTIONS',
      message: expect.stringMatching(
        /policies\[3\][^]*policy send-receipts is declared twice[^]*policy idle has no handlers/,
      ) as string,
    });
  });
});
