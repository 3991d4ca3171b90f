import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { refuse } from '../../src/kernel/errors.js';
import type { AggregateDefinition } from '../../src/modules/aggregates/aggregate.js';
import { Add, Added, Counter, Take } from './support/counter.js';
import { changeConnections, statementsOf } from './support/statements-of.js';
import { collect, WriteSide, type Writer } from './support/write-side.js';

let side: WriteSide;

beforeAll(async () => {
  side = await WriteSide.start();
});
afterAll(() => side.stop());

/** Takes all there is, after a look elsewhere. */
class Empty {
  constructor(readonly counterId: string) {}
}

/** A counter that is emptied only when there is something in it; `look` is told the sum that prepare sees. */
function emptied(look: (sum: number) => Promise<void>): AggregateDefinition {
  return Counter.evolve({
    'counter.added': (state, { data }) => ({ ...state, sum: state.sum + data.n }),
    'counter.named': (state) => state,
  })
    .decide(Add, ({ n }) => [Added({ n })])
    .decide(
      Empty,
      async (_command, { sum }) => look(sum),
      (_command, { sum }) => (sum === 0 ? refuse('counter.empty') : [Added({ n: -sum })]),
    );
}

/** The answers to a writer's appends stay on their way until the returned function is called. */
function holdAnswers(writer: Writer): () => void {
  let release: () => void = () => undefined;
  const released = new Promise<void>((resolve) => (release = resolve));
  changeConnections(writer, (connection) => {
    const ask = connection.query.bind(connection);
    const query: typeof connection.query = async (statement, values) => {
      const answer = await ask<never>(statement, values);
      if (typeof statement !== 'string' && statement.name?.startsWith('kappa append')) await released;
      return answer;
    };
    return { ...connection, query };
  });
  return release;
}

describe('a command on a state whose append is committed, its answer still on the way', () => {
  it.each([
    ['refused', {}],
    ['told of another version', { expectedVersion: 3 }],
  ])('is not %s for less than its caller has seen', async (what, options) => {
    const id = `answer-${what.replaceAll(' ', '-')}`;
    const [one, other] = await Promise.all([side.writer(), side.executor()]);
    await one.commands.execute(new Add(id, 1));
    const release = holdAnswers(one);
    const first = one.commands.execute(new Take(id, 1));
    while ((await collect(other.readStream('counter', id))).length < 2);
    expect(await other.execute(new Add(id, 10))).toMatchObject({ version: 3 });
    const second = one.commands.execute(new Take(id, 5), options);
    release();
    expect(await Promise.all([first, second])).toMatchObject([{ version: 2 }, { version: 4 }]);
  });
});

describe('a command that the remembered state refuses', () => {
  it('is accepted once another process has written what it lacked', async () => {
    const [one, other] = await Promise.all([side.executor(), side.executor()]);
    await one.execute(new Add('stock', 1));
    await one.execute(new Take('stock', 1));
    await expect(one.execute(new Take('stock', 1))).rejects.toMatchObject({ code: 'counter.too-low' });
    await other.execute(new Add('stock', 50));
    expect(await one.execute(new Take('stock', 5))).toMatchObject({ version: 4 });
    await expect(other.execute(new Take('stock', 46))).rejects.toMatchObject({ facts: { sum: 45 } });
  });

  it('is accepted once a transaction of the caller has written what it lacked', async () => {
    const commands = await side.executor();
    await commands.execute(new Add('own', 0));
    const own = await side.database.connect();
    await own.query('begin');
    await commands.execute(new Add('own', 5), { transaction: { query: (text, values) => own.query(text, values) } });
    await expect(commands.execute(new Take('own', 5))).rejects.toMatchObject({ code: 'counter.too-low' });
    await own.query('commit');
    own.release();
    expect(await commands.execute(new Take('own', 5))).toMatchObject({ version: 3 });
  });

  it('is refused for what is there now, with the facts of now', async () => {
    const [one, other] = await Promise.all([side.executor(), side.executor()]);
    await one.execute(new Add('facts', 1));
    await other.execute(new Add('facts', 1));
    await expect(one.execute(new Take('facts', 5))).rejects.toMatchObject({ facts: { sum: 2 } });
    await other.execute(new Add('facts', 1));
    await expect(one.execute(new Add('facts', 1), { expectedVersion: 1 })).rejects.toMatchObject({ actualVersion: 3 });
  });

  it('stays refused when the state is current: one look, prepare once, and the state is kept', async () => {
    const seen: number[] = [];
    const aggregates = [emptied((sum) => Promise.resolve(void seen.push(sum)))];
    const writer = await side.writer({ aggregates });
    const loads = statementsOf(writer, 'kappa load streams');
    await writer.commands.execute(new Add('current', 0));
    expect(loads()).toBe(1);
    await expect(writer.commands.execute(new Empty('current'))).rejects.toMatchObject({ code: 'counter.empty' });
    expect(seen).toEqual([0]);
    expect(loads()).toBe(2);
    await writer.commands.execute(new Add('current', 3));
    await writer.commands.execute(new Empty('current'));
    expect(loads()).toBe(2);
    expect(seen).toEqual([0, 3]);
  });

  it('is prepared once more for the newer state, which is then remembered', async () => {
    const seen: number[] = [];
    const writer = await side.writer({ aggregates: [emptied((sum) => Promise.resolve(void seen.push(sum)))] });
    const loads = statementsOf(writer, 'kappa load streams');
    const other = await side.executor();
    await writer.commands.execute(new Add('newer', 0));
    await other.execute(new Add('newer', 4));
    expect(await writer.commands.execute(new Empty('newer'))).toMatchObject({ version: 3, events: [{ data: { n: -4 } }] });
    expect(seen).toEqual([0, 4]);
    await writer.commands.execute(new Add('newer', 1));
    expect(loads()).toBe(2);
  });

  it('answers as its twin did, where the twin was carried out elsewhere meanwhile', async () => {
    const other = await side.executor({ aggregates: [emptied(() => Promise.resolve())] });
    const twin = () => other.execute(new Empty('twin'), { idempotencyKey: 'k' });
    let looks = 0;
    const aggregates = [
      emptied(async () => {
        looks += 1;
        await twin();
      }),
    ];
    const commands = await side.executor({ aggregates });
    await commands.execute(new Add('twin', 0));
    await other.execute(new Add('twin', 5));
    const result = await commands.execute(new Empty('twin'), { idempotencyKey: 'k' });
    expect(result).toEqual(await twin());
    expect(looks).toBe(1);
    expect((await side.sums())['/counter/twin']).toBe(0);
  });

  it('is decided on the stream from its beginning when the database was restored to an earlier time', async () => {
    const commands = await side.executor();
    await commands.execute(new Add('restored', 5));
    await commands.execute(new Take('restored', 5));
    await side.database.query(`delete from log_records where stream = '/counter/restored' and version = 2`);
    expect(await commands.execute(new Take('restored', 5))).toMatchObject({ version: 2 });
  });
});
