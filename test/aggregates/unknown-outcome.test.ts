import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Database } from '../../src/database/database.js';
import { RetriableError, UnknownOutcomeError } from '../../src/kernel/errors.js';
import { Appender } from '../../src/modules/aggregates/appender.js';
import { TcpProxy, type LostAnswer } from '../../src/testing/tcp-proxy.js';
import { idIn, requests } from './support/append-requests.js';
import { Add, Name, Take } from './support/counter.js';
import { collect, WriteSide } from './support/write-side.js';

let side: WriteSide;
let proxy: TcpProxy;

beforeAll(async () => {
  side = await WriteSide.start();
  proxy = await TcpProxy.start(side.url);
});
afterAll(async () => {
  await proxy.stop();
  await side.stop();
});

it.each<LostAnswer>(['cut', 'half-open'])(
  'books once when the connection is %s between COMMIT and its answer',
  async (fault) => {
    const commands = await side.executor({ url: proxy.url, appender: { answerTimeoutMs: 300 } });
    const id = `lost-${fault}`;
    await commands.execute(new Add(id, 10));
    const lost = proxy.loseAnswerTo('kappa append one', fault);
    const result = await commands.execute(new Take(id, 10));
    await lost;
    // Decided again, it would be refused: the sum is zero.
    expect(result).toMatchObject({ version: 2, events: [{ data: { n: -10 } }] });
    expect(await collect(commands.readStream('counter', id))).toHaveLength(2);
    expect((await commands.execute(new Add(id, 1))).version).toBe(3);
  },
);

it('settles each command of a group that lost its answer', async () => {
  const commands = await side.executor({ url: proxy.url });
  await Promise.all(['g1', 'g2', 'g3'].map((id) => commands.execute(new Add(id, 1))));
  await commands.execute(new Name('g1', 'lost-name'));
  const lost = proxy.loseAnswerTo('kappa append group');
  const settled = await Promise.allSettled([
    commands.execute(new Add('g1', 1)),
    commands.execute(new Name('g2', 'lost-name')),
    commands.execute(new Take('g3', 1), { idempotencyKey: 'k' }),
  ]);
  await lost;
  expect(settled).toMatchObject([
    { value: { version: 3 } },
    { reason: { code: 'KAPPA_VALUE_TAKEN' } },
    { value: { version: 2 } },
  ]);
  expect(await side.sums()).toMatchObject({ '/counter/g1': 2, '/counter/g2': 1, '/counter/g3': 0 });
});

it('tells each of several commands of one stream what became of it, though only the first was decided on what was committed', async () => {
  const commands = await side.executor({ url: proxy.url });
  await commands.execute(new Add('chain', 10));
  const lost = proxy.loseAnswerTo('kappa append group');
  const settled = Promise.all([commands.execute(new Take('chain', 4)), commands.execute(new Take('chain', 6))]);
  await lost;
  // Decided again, the second would be refused: the sum is zero.
  expect(await settled).toMatchObject([{ version: 2 }, { version: 3 }]);
  expect((await side.sums())['/counter/chain']).toBe(0);
});

it('appends when it turns out that the first attempt never arrived', async () => {
  const commands = await side.executor({ url: proxy.url, appender: { answerTimeoutMs: 300 } });
  await commands.execute(new Add('never', 1));
  proxy.halfOpen();
  expect((await commands.execute(new Add('never', 1))).version).toBe(2);
  expect((await side.sums())['/counter/never']).toBe(2);
});

it('decides nothing again before the outcome is known, however long the database is away', async () => {
  const commands = await side.executor({ url: proxy.url });
  await commands.execute(new Add('away', 5));
  const lost = proxy.loseAnswerTo('kappa append one');
  const pending = commands.execute(new Take('away', 5));
  await lost;
  proxy.cut();
  // Another takes what is left meanwhile: nothing. A second decision would be refused.
  const other = await side.executor();
  await expect(other.execute(new Take('away', 1))).rejects.toMatchObject({ code: 'counter.too-low' });
  proxy.heal();
  expect(await pending).toMatchObject({ version: 2 });
});

it('says so when the outcome cannot be found out, and the same key finds it out later', async () => {
  const commands = await side.executor({ url: proxy.url, appender: { lookUpMs: 200 } });
  await commands.execute(new Add('unknown', 5));
  const lost = proxy.loseAnswerTo('kappa append one');
  const pending = commands.execute(new Take('unknown', 5), { idempotencyKey: 'k' }).catch((error: unknown) => error);
  await lost;
  proxy.cut();
  const error = await pending;
  expect(error).toBeInstanceOf(UnknownOutcomeError);
  expect(error).toMatchObject({ facts: { commandId: 'k', stream: '/counter/unknown' } });
  proxy.heal();
  expect(await commands.execute(new Take('unknown', 5), { idempotencyKey: 'k' })).toMatchObject({ version: 2 });
  expect((await side.sums())['/counter/unknown']).toBe(0);
});

it('is never called retriable once the command has taken effect, though its result cannot be read', async () => {
  const commands = await side.executor({ url: proxy.url });
  await commands.execute(new Add('unread', 5));
  const lost = proxy.loseAnswerTo('kappa append one');
  const pending = commands.execute(new Take('unread', 5)).catch((error: unknown) => error);
  await lost;
  // The append is sent again and known; what it wrote is read, and that is what fails.
  await proxy.loseAnswerTo('kappa read versions');
  const error = await pending;
  expect(error).toBeInstanceOf(UnknownOutcomeError);
  const { facts } = error as UnknownOutcomeError;
  expect(await commands.execute(new Take('unread', 5), { idempotencyKey: String(facts['commandId']) })).toMatchObject({
    version: 2,
    events: [{ data: { n: -5 } }],
  });
});

it('is retriable when nothing was sent, and goes on by itself when the database is back', async () => {
  const commands = await side.executor({ url: proxy.url });
  await commands.execute(new Add('back', 1));
  proxy.cut();
  await expect(commands.execute(new Add('not-loaded', 1))).rejects.toBeInstanceOf(RetriableError);
  await expect(commands.execute(new Add('back', 1))).rejects.toBeInstanceOf(RetriableError);
  proxy.heal();
  expect((await commands.execute(new Add('back', 1))).version).toBe(2);
});

describe('a lost answer that was a refusal', () => {
  const bad = [{ type: 'counter.added', value: Buffer.from('{}'), headers: {}, storedHeaders: 'not json' }];
  let database: Database;
  let appends: Appender;
  let request: Awaited<ReturnType<typeof requests>>;

  beforeAll(async () => {
    await side.executor();
    request = await requests(side.database);
    database = new Database({ url: proxy.url });
    appends = new Appender(database, { appended: () => undefined });
    // What a damaged index would answer, whoever asks.
    await side.database.query(`
      create function public.damaged() returns trigger language plpgsql as
        $$ begin raise exception 'could not read block 7' using errcode = 'XX001'; end $$`);
    await side.database.query(`
      create trigger damaged before insert on commands for each row when (new.command_id like 'damaged%')
      execute function public.damaged()`);
  });
  afterAll(() => database.stop());

  it('is of the command alone whose data is at fault, and its neighbours in the partition are appended', async () => {
    const lost = proxy.loseAnswerTo('kappa append group');
    const settled = await Promise.allSettled(
      ['a', 'b', 'bad', 'c', 'd'].map((name) =>
        appends.append(request({ id: idIn(2, `beside-${name}`), ...(name === 'bad' && { events: bad }) })),
      ),
    );
    await lost;
    const appended = { value: { outcome: 'appended' } };
    // Nothing is unknown of it: its data is refused whenever it comes.
    expect(settled).toMatchObject([appended, appended, { reason: { code: '22P02' } }, appended, appended]);
  });

  it('is the error of a command that was sent alone', async () => {
    const lost = proxy.loseAnswerTo('kappa append one');
    const refused = appends.append(request({ id: 'alone', events: bad }));
    await expect(refused).rejects.toMatchObject({ code: '22P02' });
    await lost;
  });

  it('stays unknown where it says nothing of the data, with the error that the database gave', async () => {
    const lost = proxy.loseAnswerTo('kappa append group');
    const settled = await Promise.allSettled([
      appends.append(request({ id: idIn(2, 'damaged'), commandId: 'damaged-1' })),
      appends.append(request({ id: idIn(2, 'whole') })),
    ]);
    await lost;
    expect(settled).toMatchObject([
      {
        reason: {
          code: 'KAPPA_UNKNOWN_OUTCOME',
          message: expect.stringContaining('could not read block 7') as string,
          facts: { commandId: 'damaged-1' },
          cause: { code: 'XX001' },
        },
      },
      { value: { outcome: 'appended' } },
    ]);
  });

  it.each(['53100', '25006'])('is looked up again while the server cannot write (%s), as in any outage', async (state) => {
    // A sequence counts also what is rolled back: the disk is full for the first attempt and two more.
    await side.database.query(`
      create sequence public.tries_${state};
      create function public.away_${state}() returns trigger language plpgsql as $$ begin
        if nextval('public.tries_${state}') <= 3 then raise exception 'not now' using errcode = '${state}'; end if;
        return new;
      end $$;
      create trigger away_${state} before insert on commands for each row when (new.command_id = 'away-${state}')
      execute function public.away_${state}()`);
    const lost = proxy.loseAnswerTo('kappa append one');
    const appended = appends.append(request({ id: `away-${state}`, commandId: `away-${state}` }));
    await lost;
    expect(await appended).toMatchObject({ outcome: 'appended' });
  });

  it('stays unknown where other rows are in the way, which may be gone for the first attempt', async () => {
    const index = `create unique index in_the_way on commands ((command_id like 'in-the-way%')) where command_id like 'in-the-way%'`;
    await side.database.query(index);
    await appends.append(request({ id: 'first-there', commandId: 'in-the-way-1' }));
    const lost = proxy.loseAnswerTo('kappa append one');
    const refused = appends.append(request({ id: 'second-there', commandId: 'in-the-way-2' }));
    await expect(refused).rejects.toMatchObject({ code: 'KAPPA_UNKNOWN_OUTCOME', cause: { code: '23505' } });
    await lost;
    await side.database.query('drop index in_the_way');
  });
});

it('leaves a log without contradictions', async () => {
  expect(await side.contradictions()).toEqual([]);
});
