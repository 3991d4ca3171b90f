import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { event } from '../../src/kernel/event.js';
import { type } from '../../src/kernel/shape.js';
import { topic } from '../../src/kernel/topic.js';
import { aggregate, type AggregateDefinition } from '../../src/modules/aggregates/aggregate.js';
import { Add, Added, Counter, counter, counters, RaiseTo } from './support/counter.js';
import { WriteSide, type ExecutorOptions } from './support/write-side.js';

let side: WriteSide;

beforeAll(async () => {
  side = await WriteSide.start();
});
afterAll(() => side.stop());
beforeEach(() => side.database.query('delete from snapshots'));

async function snapshot(stream: string): Promise<{ version: number; state: unknown } | undefined> {
  const { rows } = await side.database.query<{ version: number; state: unknown }>(
    'select version, state from snapshots where stream = $1',
    [stream],
  );
  return rows[0];
}

/** Runs commands in a process of their own, whose snapshots are written when it ends. */
async function inOneProcess(options: ExecutorOptions, ...commands: readonly object[]): Promise<void> {
  const executor = await side.executor(options);
  for (const command of commands) await executor.execute(command);
  await executor.stop();
}

it('writes the state when enough events have come since the last one, also when one command brings them', async () => {
  await inOneProcess({}, ...Array.from({ length: 9 }, () => new Add('every', 1)));
  expect(await snapshot('/counter/every')).toBeUndefined();
  await inOneProcess({}, new Add('every', 1));
  expect(await snapshot('/counter/every')).toEqual({ version: 10, state: { sum: 10, name: null } });
  await inOneProcess({}, new Add('every', 1, 25));
  expect(await snapshot('/counter/every')).toEqual({ version: 35, state: { sum: 35, name: null } });
});

it('loads from the snapshot and the events after it', async () => {
  await inOneProcess({}, new Add('loads', 1, 12), new Add('loads', 5));
  // A snapshot that says something else than the events shows that it is used.
  await side.database.query(`update snapshots set state = '{"sum":1000,"name":null}' where stream = '/counter/loads'`);
  const commands = await side.executor();
  const { events } = await commands.execute(new RaiseTo('loads', 1_010));
  expect(events).toMatchObject([{ data: { n: 5 }, stream: { version: 14 } }]);
});

it('ignores a snapshot that another evolve has made, and replaces it', async () => {
  await inOneProcess({}, new Add('evolved', 1, 10));
  const doubled = Counter.evolve({
    'counter.added': (state, { data }) => ({ ...state, sum: state.sum + 2 * data.n }),
    'counter.named': (state, { data }) => ({ ...state, name: data.name }),
  }).decide(Add, ({ n }) => [Added({ n })]);
  await inOneProcess({ aggregates: [doubled] }, new Add('evolved', 1));
  expect(await snapshot('/counter/evolved')).toEqual({ version: 11, state: { sum: 22, name: null } });
  await inOneProcess({}, new Add('evolved', 1));
  expect(await snapshot('/counter/evolved')).toEqual({ version: 12, state: { sum: 12, name: null } });
});

it('keeps the snapshot when only the formatting of evolve changed', async () => {
  await inOneProcess({}, new Add('formatted', 1, 10));
  await side.database.query(`update snapshots set state = '{"sum":77,"name":null}'`);
  const formatted = Counter.evolve({
    'counter.named': (state, { data }) => {
      // a comment, other quotes, a block
      return { ...state, name: data.name };
    },
    'counter.added': (state, { data }) => ({ ...state, sum: state.sum + data.n }),
  }).decide(RaiseTo, ({ sum }, state) => [Added({ n: sum - state.sum })]);
  const commands = await side.executor({ aggregates: [formatted] });
  expect((await commands.execute(new RaiseTo('formatted', 78))).events).toMatchObject([{ data: { n: 1 } }]);
});

it('writes none for an aggregate that wants none', async () => {
  const without = aggregate({ name: 'without', topic: counters, id: 'counterId', initialState: () => 0, snapshots: false })
    .evolve({ 'counter.added': (sum, { data }) => sum + data.n, 'counter.named': (sum) => sum })
    .decide(Add, ({ n, times }) => Array.from({ length: times }, () => Added({ n })));
  await inOneProcess({ aggregates: [without] }, new Add('w', 1, 500));
  expect(await snapshot('/without/w')).toBeUndefined();
});

it('never fails a command: a state that JSON cannot keep is told once and loaded from events', async () => {
  const warnings: string[] = [];
  const logger = { log: () => undefined, warn: (text: string) => warnings.push(text), error: () => undefined };
  const mapped = aggregate({
    name: 'mapped',
    topic: counters,
    id: 'counterId',
    initialState: () => ({ seen: new Map<number, number>() }),
    snapshots: { every: 1 },
  })
    .evolve({
      'counter.added': ({ seen }, { data }) => ({ seen: new Map(seen).set(data.n, (seen.get(data.n) ?? 0) + 1) }),
      'counter.named': (state) => state,
    })
    .decide(Add, ({ n }, { seen }) => [Added({ n: n + (seen.get(n) ?? 0) })]);
  await inOneProcess({ aggregates: [mapped], logger }, new Add('m', 1), new Add('m', 1));
  const commands = await side.executor({ aggregates: [mapped], logger });
  expect((await commands.execute(new Add('m', 2))).events).toMatchObject([{ data: { n: 3 } }]);
  expect(warnings[0]).toContain('state.seen');
  expect(await snapshot('/mapped/m')).toBeUndefined();
});

it('never fails a command: what cannot be written is told', async () => {
  const warnings: string[] = [];
  const logger = { log: () => undefined, warn: (text: string) => warnings.push(text), error: () => undefined };
  const commands = await side.executor({ logger });
  // The load looks for snapshots, too: what is cached needs none.
  await commands.execute(new Add('told', 1));
  await side.database.query('alter table snapshots rename to snapshots_away');
  await commands.execute(new Add('told', 1, 20));
  await commands.stop();
  await side.database.query('alter table snapshots_away rename to snapshots');
  expect(warnings).toHaveLength(1);
  expect(warnings[0]).toContain('snapshots');
});

it('reads old events in their newest version, upcast, and snapshots follow the versions', async () => {
  class Pay {
    constructor(
      readonly tillId: string,
      readonly amount: number,
    ) {}
  }
  const till = (paid: typeof Paid1 | typeof Paid2, read: (data: never) => number): AggregateDefinition =>
    aggregate({
      name: 'till',
      topic: topic('tills', { partitions: 2, events: [paid as typeof Paid1] }),
      id: 'tillId',
      initialState: () => ({ cents: 0 }),
      snapshots: { every: 2 },
    })
      .evolve({ 'till.paid': ({ cents }, { data }) => ({ cents: cents + read(data as never) }) })
      .decide(Pay, ({ amount }, { cents }) => [
        { type: 'till.paid', data: (paid === Paid1 ? { cents: amount } : { amount, before: cents }) as never },
      ]);
  const Paid1 = event('till.paid', type<{ cents: number }>());
  const Paid2 = Paid1.next(type<{ amount: number; before: number }>(), ({ cents }) => ({ amount: cents, before: -1 }));

  await inOneProcess({ aggregates: [till(Paid1, ({ cents }: { cents: number }) => cents)] }, new Pay('t', 5), new Pay('t', 7));
  expect(await snapshot('/till/t')).toEqual({ version: 2, state: { cents: 12 } });
  const commands = await side.executor({ aggregates: [till(Paid2, ({ amount }: { amount: number }) => amount)] });
  const { events } = await commands.execute(new Pay('t', 1));
  expect(events).toMatchObject([{ data: { amount: 1, before: 12 } }]);
  const read = [];
  for await (const { data } of commands.readStream('till', 't')) read.push(data);
  expect(read).toEqual([
    { amount: 5, before: -1 },
    { amount: 7, before: -1 },
    { amount: 1, before: 12 },
  ]);
});

it('loads a stream of several pages', async () => {
  const commands = await side.executor({ aggregates: [counter], stateCacheSize: 0 });
  await commands.execute(new Add('long', 1, 2_300));
  await side.database.query(`delete from snapshots`);
  expect((await commands.execute(new RaiseTo('long', 2_400))).events).toMatchObject([
    { data: { n: 100 }, stream: { version: 2_301 } },
  ]);
  let count = 0;
  for await (const { stream } of commands.readStream('counter', 'long')) expect(stream.version).toBe((count += 1));
  expect(count).toBe(2_301);
});

it('says so when a stream has lost events in its middle', async () => {
  await inOneProcess({}, new Add('broken', 1, 3));
  await side.database.query(`delete from log_records where stream = '/counter/broken' and version = 2`);
  const commands = await side.executor();
  await expect(commands.execute(new Add('broken', 1))).rejects.toMatchObject({
    code: 'KAPPA_STREAM_BROKEN',
    facts: { wanted: 2, found: 3 },
  });
});

it('keeps no more states than it is told to, and none at all with size 0', async () => {
  for (const stateCacheSize of [0, 2]) {
    const commands = await side.executor({ stateCacheSize });
    for (const round of [1, 2])
      for (const id of ['x', 'y', 'z']) await commands.execute(new Add(`cache-${stateCacheSize}-${id}`, round));
    expect((await side.sums())[`/counter/cache-${stateCacheSize}-x`]).toBe(3);
  }
});
