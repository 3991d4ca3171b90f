import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { refuse } from '../../src/kernel/errors.js';
import { event } from '../../src/kernel/event.js';
import { type } from '../../src/kernel/shape.js';
import { topic } from '../../src/kernel/topic.js';
import { aggregate } from '../../src/modules/aggregates/aggregate.js';
import { AppendFate } from '../../src/modules/aggregates/append-fate.js';
import type { AppendRequest } from '../../src/modules/aggregates/append-request.js';
import { Appender } from '../../src/modules/aggregates/appender.js';
import { requests, type Given } from './support/append-requests.js';
import { Add, Added, Counter, counters, Name, Named, RaiseTo, Take } from './support/counter.js';
import { statementsOf } from './support/statements-of.js';
import { WriteSide } from './support/write-side.js';

const Opened = event('door.opened', type<{ token: string }>());
const Used = event('door.used', type<{ token: string }>());
class Open {
  constructor(readonly doorId: string) {}
}
class Use {
  constructor(
    readonly doorId: string,
    readonly token: string,
  ) {}
}
class UseToken extends Use {}
/** Each that is opened has another token. */
const door = aggregate({
  name: 'door',
  topic: topic('doors', { partitions: 4, events: [Opened, Used] }),
  id: 'doorId',
  initialState: () => ({ has: '' }),
})
  .evolve({ 'door.opened': (_, { data }) => ({ has: data.token }), 'door.used': (state) => state })
  .decide(Open, (_, { has }, { newId }) => (has === '' ? [Opened({ token: newId() })] : refuse('door.open')))
  .decide(Use, (_, { has }) => (has === '' ? refuse('door.closed') : [Used({ token: has })]))
  .decide(UseToken, ({ token }, { has }) => (has === token ? [Used({ token })] : refuse('door.wrong-token', { has })));

let side: WriteSide;

beforeAll(async () => {
  side = await WriteSide.start();
});
afterAll(() => side.stop());

/** Holds the partition of a stream until the returned function is called, so that appends to it stay under way. */
async function hold(id: string): Promise<() => Promise<void>> {
  const make = await requests(side.database);
  const { topicId, partition } = make({ id });
  const holder = await side.database.connect();
  await holder.query('begin');
  await holder.query('select lock_partitions(array[$1::int], array[$2::int])', [topicId, partition]);
  return async () => {
    await holder.query('rollback');
    holder.release();
  };
}

/** Until what was begun has come as far as it comes by itself. */
const turn = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 50));

describe('commands of one stream that arrive together', () => {
  it('commit together: each is decided on what the one before it will have brought', async () => {
    const writer = await side.writer();
    const appends = statementsOf(writer, 'kappa append');
    await writer.commands.execute(new Add('hot', 0));
    await Promise.all(Array.from({ length: 100 }, (_, n) => writer.commands.execute(new RaiseTo('hot', n + 1))));
    expect(appends()).toBeLessThan(20);
    expect((await side.sums())['/counter/hot']).toBe(100);
    const { rows } = await side.database.query<{ n: number }>(
      "select count(*)::int as n from log_records where stream = '/counter/hot'",
    );
    expect(rows[0]?.n).toBe(101);
    expect(await writer.commands.execute(new Take('hot', 100))).toMatchObject({ version: 102 });
  });

  it('are refused for what is still being committed, once that is committed', async () => {
    const commands = await side.executor();
    await commands.execute(new Add('refused', 5));
    const release = await hold('refused');
    let refused: unknown = null;
    const first = commands.execute(new Take('refused', 5));
    const second = commands.execute(new Take('refused', 1)).catch((error: unknown) => (refused = error));
    await turn();
    expect(refused).toBeNull();
    await release();
    await first;
    await second;
    expect(refused).toMatchObject({ code: 'counter.too-low', facts: { sum: 0 } });
  });

  it('are decided again when what they were decided on does not come about', async () => {
    const commands = await side.executor();
    await commands.execute(new Name('owner', 'mine'));
    await commands.execute(new Add('again', 1));
    const release = await hold('again');
    const settled = Promise.allSettled([
      commands.execute(new Name('again', 'mine')),
      commands.execute(new Add('again', 2)),
      commands.execute(new Take('again', 3)),
    ]);
    await turn();
    await release();
    expect(await settled).toMatchObject([
      { status: 'rejected', reason: { code: 'KAPPA_VALUE_TAKEN' } },
      { status: 'fulfilled', value: { version: 2 } },
      { status: 'fulfilled', value: { version: 3 } },
    ]);
  });

  it('are accepted where what would have refused them has failed', async () => {
    const named = Counter.evolve({
      'counter.added': (state, { data }) => ({ ...state, sum: state.sum + data.n }),
      'counter.named': (state, { data }) => ({ ...state, name: data.name }),
    })
      .decide(Name, ({ name }) => [Named({ name })])
      .decide(Add, ({ n }, { name }) => (name === null ? [Added({ n })] : refuse('counter.closed')));
    const commands = await side.executor({ aggregates: [named] });
    await commands.execute(new Name('holder', 'wanted'));
    await commands.execute(new Add('open', 1));
    const release = await hold('open');
    const settled = Promise.allSettled([
      commands.execute(new Name('open', 'wanted')),
      commands.execute(new Add('open', 1), { idempotencyKey: 'once' }),
    ]);
    await turn();
    await release();
    expect(await settled).toMatchObject([{ status: 'rejected' }, { status: 'fulfilled', value: { version: 2 } }]);
  });

  it('answer as before where a repeated one would be refused for what is under way', async () => {
    const commands = await side.executor();
    await commands.execute(new Add('repeated', 5));
    const { version } = await commands.execute(new Take('repeated', 2), { idempotencyKey: 'took' });
    const release = await hold('repeated');
    const both = Promise.all([
      commands.execute(new Take('repeated', 3)),
      commands.execute(new Take('repeated', 2), { idempotencyKey: 'took' }),
    ]);
    await turn();
    await release();
    expect(await both).toMatchObject([{ version: 3 }, { version }]);
  });

  it.each([
    ['accepted', Use],
    ['refused', UseToken],
  ] as const)('are not %s for what a repeated one would have decided now', async (id, Command) => {
    const [one, other] = await Promise.all([side.executor({ aggregates: [door] }), side.executor({ aggregates: [door] })]);
    const again = { idempotencyKey: 'open', expectedVersion: 0 };
    const { events } = await one.execute(new Open(id), again);
    const { token } = events[0]?.data as { readonly token: string };
    // Sent twice, the second time to another process, and one more beside it.
    const [repeated, used] = await Promise.all([other.execute(new Open(id), again), other.execute(new Command(id, token))]);
    expect(repeated).toMatchObject({ version: 1, events });
    expect(used).toMatchObject({ version: 2, events: [{ data: { token } }] });
    expect(await other.execute(new UseToken(id, token))).toMatchObject({ version: 3 });
  });

  it('conflict with what another process wrote, and not one of them is decided on less', async () => {
    const [one, other] = await Promise.all([side.executor(), side.executor()]);
    await one.execute(new Add('both', 10));
    await Promise.all(Array.from({ length: 60 }, (_, n) => (n % 2 === 0 ? one : other).execute(new RaiseTo('both', 11 + n))));
    expect((await side.sums())['/counter/both']).toBe(70);
    expect(await side.contradictions()).toEqual([]);
  });
});

describe('a state that knows where and when its events were recorded', () => {
  interface Place {
    readonly recordedAt: string;
    readonly offset: number;
  }
  class Look {
    constructor(readonly counterId: string) {}
  }

  it.each([
    ['copies it', ({ recordedAt, offset }: Place): Place => ({ recordedAt, offset })],
    ['keeps the event', (event: Place): Place => event],
  ])('is decided on as they stand in the log, where evolve %s', async (name, placeOf) => {
    const looking = aggregate({
      name: 'counter',
      topic: counters,
      id: 'counterId',
      initialState: (): { readonly last: Place | null } => ({ last: null }),
    })
      .evolve({ 'counter.added': (state) => state, 'counter.named': (_state, event) => ({ last: placeOf(event) }) })
      .decide(Look, (_command, { last }) => [Named({ name: last && `${last.recordedAt} ${last.offset}` })]);
    // Each waits for the commit before it, so that none conflicts.
    const commands = await side.executor({ aggregates: [looking], retries: 0 });
    const id = `look-${name.replaceAll(' ', '-')}`;
    const results = await Promise.all(Array.from({ length: 5 }, () => commands.execute(new Look(id))));
    const written = results.flatMap(({ events }) => events).toSorted((a, b) => a.offset - b.offset);
    expect(written.map(({ data }) => (data as { readonly name: string | null }).name)).toEqual([
      null,
      ...written.slice(0, 4).map(({ recordedAt, offset }) => `${recordedAt} ${offset}`),
    ]);
  });
});

describe('an append that was decided on another', () => {
  let request: (given: Given) => AppendRequest;
  beforeAll(async () => {
    request = await requests(side.database);
  });

  /** Two commands of a stream that another process has meanwhile brought to where the first would have brought it. */
  async function overtaken(id: string, groupCommands: number): Promise<readonly string[]> {
    const appends = new Appender(side.database, { appended: () => undefined }, { groupCommands });
    await appends.append(request({ id }));
    const first = request({ id });
    const second = request({ id, expectedVersion: 1, fate: new AppendFate(first.fate) });
    const third = request({ id, expectedVersion: 2, fate: new AppendFate(second.fate) });
    const outcomes = await Promise.all([first, second, third].map((one) => appends.append(one)));
    return outcomes.map(({ outcome }) => outcome);
  }

  it.each([
    ['in the same group', 100],
    ['in the next group', 1],
  ])('is not made when that one fails, %s', async (name, groupCommands) => {
    expect(await overtaken(`overtaken-${name.replaceAll(' ', '-')}`, groupCommands)).toEqual([
      'conflict',
      'unfounded',
      'unfounded',
    ]);
  });
});
