import { afterAll, beforeAll, expect, it } from 'vitest';
import { RetriableError, UnknownOutcomeError } from '../../src/kernel/errors.js';
import { TcpProxy, type LostAnswer } from '../../src/testing/tcp-proxy.js';
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

it('is retriable when nothing was sent, and goes on by itself when the database is back', async () => {
  const commands = await side.executor({ url: proxy.url });
  await commands.execute(new Add('back', 1));
  proxy.cut();
  await expect(commands.execute(new Add('not-loaded', 1))).rejects.toBeInstanceOf(RetriableError);
  await expect(commands.execute(new Add('back', 1))).rejects.toBeInstanceOf(RetriableError);
  proxy.heal();
  expect((await commands.execute(new Add('back', 1))).version).toBe(2);
});

it('leaves a log without contradictions', async () => {
  expect(await side.contradictions()).toEqual([]);
});
