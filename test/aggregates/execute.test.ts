import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Refusal, WrongExpectedVersionError } from '../../src/kernel/errors.js';
import { aggregate } from '../../src/modules/aggregates/aggregate.js';
import { Add, Added, Counter, Name, RaiseTo, Take, counters } from './support/counter.js';
import { collect, WriteSide } from './support/write-side.js';

let side: WriteSide;

beforeAll(async () => {
  side = await WriteSide.start();
});
afterAll(() => side.stop());

describe('executing a command', () => {
  it('answers version, position and events as they stand in the log', async () => {
    const commands = await side.executor();
    const first = await commands.execute(new Add('answers', 5, 2), {
      occurredAt: '2006-07-24T00:30:00.5+02:00',
      correlationId: 'c1',
      causationId: 'c2',
    });
    const read = await collect(commands.readStream('counter', 'answers'));
    expect(first.version).toBe(2);
    expect(first.events).toEqual(read);
    expect(
      read.map(({ data, stream, occurredAt, correlationId, causationId }) => ({
        data,
        stream,
        occurredAt,
        correlationId,
        causationId,
      })),
    ).toEqual(
      [1, 2].map((version) => ({
        data: { n: 5 },
        stream: { aggregate: 'counter', id: 'answers', version },
        occurredAt: '2006-07-24T00:30:00.5+02:00',
        correlationId: 'c1',
        causationId: 'c2',
      })),
    );
    const { topic, partition, offset } = read[1] ?? {};
    expect(first.position).toEqual({ [`${topic}/${partition}`]: (offset ?? 0) + 1 });
    expect(new Set(read.map(({ id }) => id)).size).toBe(2);
  });

  it('correlates by the id of the command when nothing else is given', async () => {
    const commands = await side.executor();
    const { events } = await commands.execute(new Add('correlates', 1), { idempotencyKey: 'the-command' });
    expect(events[0]).toMatchObject({ correlationId: 'the-command', causationId: 'the-command' });
  });

  it('wakes readers of this process with the position', async () => {
    const { commands, log } = await side.writer();
    const ends = await log.offsets(counters.name);
    const from = Object.fromEntries(ends.map(({ partition, end }) => [`${counters.name}/${partition}` as const, end]));
    const arrived = (async () => {
      for await (const batch of log.read({ from })) if (batch.records.length > 0) return batch.records[0];
    })();
    await commands.execute(new Add('wakes', 3));
    expect((await arrived)?.key).toBe('wakes');
  });

  it('lets commands of one stream decide one after another', async () => {
    const commands = await side.executor({ retries: 0 });
    await Promise.all(Array.from({ length: 40 }, (_, n) => commands.execute(new Add('in-turn', n))));
    expect((await side.sums())['/counter/in-turn']).toBe((40 * 39) / 2);
  });

  it('loads what another process has written after a conflict, and decides again', async () => {
    const [one, other] = await Promise.all([side.executor(), side.executor()]);
    await one.execute(new Add('both', 10));
    await other.execute(new Take('both', 4));
    await one.execute(new Take('both', 6));
    await expect(other.execute(new Take('both', 1))).rejects.toMatchObject({ code: 'counter.too-low', facts: { sum: 0 } });
  });

  it('runs prepare again after a conflict, with the newer state', async () => {
    const seen: number[] = [];
    const other = await side.executor();
    class Double {
      constructor(readonly counterId: string) {}
    }
    const doubling = Counter.evolve({
      'counter.added': (state, { data }) => ({ ...state, sum: state.sum + data.n }),
      'counter.named': (state) => state,
    }).decide(
      Double,
      async (_command, { sum }) => {
        seen.push(sum);
        if (seen.length === 1) await other.execute(new Add('prepared', 5));
        return sum;
      },
      (_command, _state, { facts }) => [Added({ n: facts })],
    );
    await other.execute(new Add('prepared', 1));
    const commands = await side.executor({ aggregates: [doubling] });
    const { events } = await commands.execute(new Double('prepared'));
    expect(seen).toEqual([1, 6]);
    expect(events[0]?.data).toEqual({ n: 6 });
  });

  it('gives decide the time, ids, tenant and principal, and prepare its services', async () => {
    class Tariffs {
      readonly of = (): number => 42;
    }
    class Probe {
      constructor(readonly counterId: string) {}
    }
    const probing = Counter.evolve({ 'counter.added': (state) => state, 'counter.named': (state) => state }).decide(
      Probe,
      (_command, _state, inject) => Promise.resolve(inject(Tariffs).of()),
      (_command, _state, context) => {
        expect(context).toMatchObject({ now: '2026-03-04T05:06:07.000Z', facts: 42, tenant: 'acme', principal: 'ada' });
        expect(context.newId()).toMatch(/^id-\d+$/);
        return [];
      },
    );
    let ids = 0;
    const commands = await side.executor({
      aggregates: [probing],
      clock: () => new Date('2026-03-04T05:06:07Z'),
      newId: () => `id-${(ids += 1)}`,
      inject: (token) => new (token as never as new () => never)(),
    });
    await commands.execute(new Probe('context'), { tenant: 'acme', principal: 'ada' });
    expect.hasAssertions();
  });

  it('hands refusals on as they are, and writes nothing', async () => {
    const commands = await side.executor();
    const refused = await commands.execute(new Take('poor', 1)).catch((error: unknown) => error);
    expect(refused).toBeInstanceOf(Refusal);
    expect(refused).toMatchObject({ code: 'counter.too-low', facts: { sum: 0 } });
    expect(await collect(commands.readStream('counter', 'poor'))).toEqual([]);
  });

  it('keeps tenants apart: streams, ids of commands and unique values', async () => {
    const commands = await side.executor();
    const results = [];
    for (const tenant of [null, 'one', 'two']) {
      results.push(await commands.execute(new Add('same', 1), { tenant, idempotencyKey: 'same' }));
      await commands.execute(new Name('same', 'unique-to-a-tenant'), { tenant });
    }
    expect(results.map(({ version }) => version)).toEqual([1, 1, 1]);
    expect(results.map(({ events }) => events[0]?.tenant)).toEqual([null, 'one', 'two']);
    await expect(commands.execute(new Name('another', 'unique-to-a-tenant'), { tenant: 'two' })).rejects.toMatchObject({
      code: 'KAPPA_VALUE_TAKEN',
    });
    // A tenant and an id cannot be put together to name the stream of another.
    await commands.execute(new Add('counter/same', 7), { tenant: 'one' });
    expect((await commands.execute(new RaiseTo('same', 1), { tenant: 'one' })).version).toBe(2);
  });
});

describe('expectedVersion', () => {
  it('refuses 7 on a stream at 1, and appends nothing', async () => {
    const commands = await side.executor();
    await commands.execute(new Add('seven', 1));
    const error = await commands.execute(new Add('seven', 1), { expectedVersion: 7 }).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(WrongExpectedVersionError);
    expect(error).toMatchObject({ expectedVersion: 7, actualVersion: 1 });
    expect(await collect(commands.readStream('counter', 'seven'))).toHaveLength(1);
  });

  it('0 means that the stream must be new', async () => {
    const commands = await side.executor();
    await commands.execute(new Add('zero', 1), { expectedVersion: 0 });
    await expect(commands.execute(new Add('zero', 1), { expectedVersion: 0 })).rejects.toBeInstanceOf(
      WrongExpectedVersionError,
    );
  });

  it('is compared with the stream, not with what this process remembers of it', async () => {
    const [one, other] = await Promise.all([side.executor(), side.executor()]);
    await one.execute(new Add('behind', 1));
    await other.execute(new Add('behind', 1));
    await expect(one.execute(new Add('behind', 1), { expectedVersion: 1 })).rejects.toMatchObject({ actualVersion: 2 });
    await other.execute(new Add('behind', 1));
    expect((await one.execute(new Add('behind', 1), { expectedVersion: 3 })).version).toBe(4);
  });

  it('is not retried after a conflict', async () => {
    let decided = 0;
    class Slow {
      constructor(readonly counterId: string) {}
    }
    const other = await side.executor();
    const slow = Counter.evolve({ 'counter.added': (state) => state, 'counter.named': (state) => state }).decide(
      Slow,
      async () => {
        decided += 1;
        await other.execute(new Add('raced', 1));
      },
      () => [Added({ n: 1 })],
    );
    const commands = await side.executor({ aggregates: [slow] });
    await expect(commands.execute(new Slow('raced'), { expectedVersion: 0 })).rejects.toMatchObject({
      expectedVersion: 0,
      actualVersion: 1,
    });
    expect(decided).toBe(1);
  });
});

describe('a command that comes again', () => {
  it('answers its first result, with its events, and takes effect once', async () => {
    const commands = await side.executor();
    const first = await commands.execute(new Add('again', 5, 3), { idempotencyKey: 'k' });
    await commands.execute(new Add('again', 1));
    const [here, elsewhere] = [
      await commands.execute(new Add('again', 5, 3), { idempotencyKey: 'k' }),
      await (await side.executor()).execute(new Add('again', 5, 3), { idempotencyKey: 'k' }),
    ];
    expect(here).toEqual(first);
    expect(elsewhere).toEqual(first);
    expect((await side.sums())['/counter/again']).toBe(16);
  });

  it('is remembered when it emitted nothing', async () => {
    const commands = await side.executor();
    await commands.execute(new Add('nothing', 5));
    const first = await commands.execute(new RaiseTo('nothing', 5), { idempotencyKey: 'k' });
    expect(first).toMatchObject({ version: 1, events: [] });
    await commands.execute(new Add('nothing', -3));
    // Decided anew it would raise the sum again.
    expect(await commands.execute(new RaiseTo('nothing', 5), { idempotencyKey: 'k' })).toEqual(first);
    expect(await (await side.executor()).execute(new RaiseTo('nothing', 5), { idempotencyKey: 'k' })).toEqual(first);
  });

  it('is not refused for what it has itself brought about', async () => {
    const commands = await side.executor();
    await commands.execute(new Add('spent', 5));
    const first = await commands.execute(new Take('spent', 5), { idempotencyKey: 'k', expectedVersion: 1 });
    expect(await commands.execute(new Take('spent', 5), { idempotencyKey: 'k', expectedVersion: 1 })).toEqual(first);
    expect(await commands.execute(new Take('spent', 5), { idempotencyKey: 'k' })).toEqual(first);
    await expect(commands.execute(new Take('spent', 5))).rejects.toMatchObject({ code: 'counter.too-low' });
  });

  it('is refused when its id comes with other content', async () => {
    const commands = await side.executor();
    await commands.execute(new Add('reused', 5), { idempotencyKey: 'k' });
    for (const executor of [commands, await side.executor()]) {
      await expect(executor.execute(new Add('reused', 6), { idempotencyKey: 'k' })).rejects.toMatchObject({
        code: 'KAPPA_COMMAND_ID_REUSED',
        facts: { commandId: 'k' },
      });
      await expect(executor.execute(new Take('reused', 5), { idempotencyKey: 'k' })).rejects.toMatchObject({
        code: 'KAPPA_COMMAND_ID_REUSED',
      });
    }
    expect((await commands.execute(new Add('another-stream', 6), { idempotencyKey: 'k' })).version).toBe(1);
  });

  it('takes effect once when it is sent many times at once, from several processes', async () => {
    const [one, two] = await Promise.all([side.executor(), side.executor()]);
    const storm = Array.from({ length: 30 }, (_, n) =>
      (n % 2 ? one : two).execute(new Add('storm', 1, 2), { idempotencyKey: 'k' }),
    );
    const results = await Promise.all(storm);
    expect(new Set(results.map((result) => JSON.stringify(result))).size).toBe(1);
    expect((await side.sums())['/counter/storm']).toBe(2);
  });
});

describe('an aggregate', () => {
  it('keeps its topic: another one under the same name is refused', async () => {
    const { topic } = await import('../../src/kernel/topic.js');
    const moved = aggregate({
      name: 'counter',
      topic: topic('other-counters', { events: [Added] }),
      id: 'counterId',
      initialState: () => ({}),
    }).evolve({ 'counter.added': (state) => state });
    await expect(side.executor({ aggregates: [moved] })).rejects.toMatchObject({
      code: 'KAPPA_AGGREGATE_MOVED',
      facts: { bound: 'counters', declared: 'other-counters' },
    });
  });

  it('cannot change its state or an event where freezing is on', async () => {
    class Mutate {
      constructor(readonly counterId: string) {}
    }
    const mutating = Counter.evolve({ 'counter.added': (state) => state, 'counter.named': (state) => state }).decide(
      Mutate,
      (_command, state) => {
        (state as { sum: number }).sum = 1;
        return [];
      },
    );
    const commands = await side.executor({ aggregates: [mutating], freeze: true });
    await expect(commands.execute(new Mutate('frozen'))).rejects.toThrow(/read only/);
  });
});

it('leaves a log without holes, gaps or times that run backwards', async () => {
  expect(await side.contradictions()).toEqual([]);
});
