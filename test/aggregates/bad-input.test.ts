import 'reflect-metadata';
import { IsInt, Min, ValidateNested } from 'class-validator';
import { Type } from 'class-transformer';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { z } from 'zod';
import { event } from '../../src/kernel/event.js';
import { KappaError } from '../../src/kernel/errors.js';
import { type } from '../../src/kernel/shape.js';
import { topic } from '../../src/kernel/topic.js';
import { aggregate, type AggregateDefinition } from '../../src/modules/aggregates/aggregate.js';
import { isIsoTime } from '../../src/kernel/iso-time.js';
import type { ExecuteOptions } from '../../src/modules/aggregates/command.js';
import { Add, Added, Counter, Name } from './support/counter.js';
import { WriteSide } from './support/write-side.js';

let side: WriteSide;

beforeAll(async () => {
  side = await WriteSide.start();
});
afterAll(async () => {
  const { rows } = await side.database.query('select stream from log_records');
  await side.stop();
  expect(rows, 'nothing that was refused is in the log').toEqual([]);
});

const thrownBy = async (work: () => unknown): Promise<KappaError> => {
  try {
    await work();
  } catch (error) {
    if (error instanceof KappaError) return error;
    throw error;
  }
  throw new Error('nothing was thrown');
};

/** A counter that decides one command as it is told. */
function deciding(decide: () => unknown): AggregateDefinition {
  return Counter.evolve({
    'counter.added': (state) => state,
    'counter.named': (state, { data }) => ({ ...state, name: data.name }),
  }).decide(Add, decide as never);
}

async function refusedDecision(decide: () => unknown): Promise<KappaError> {
  const commands = await side.executor({ aggregates: [deciding(decide)] });
  return thrownBy(() => commands.execute(new Add('decided', 1)));
}

it('names everything that is wrong with a command and its options at once', async () => {
  class Line {
    @Min(1)
    quantity = 0;
  }
  class Order {
    counterId = '';
    @IsInt({ message: 'amount must be whole' })
    amount = 1.5;
    @ValidateNested()
    @Type(() => Line)
    line = new Line();
  }
  const ordering = Counter.evolve({ 'counter.added': (state) => state, 'counter.named': (state) => state }).decide(
    Order,
    () => [],
  );
  const commands = await side.executor({ aggregates: [ordering] });
  const options = {
    idempotentcyKey: 'k',
    idempotencyKey: '',
    expectedVersion: -1,
    occurredAt: '2026-02-30T10:00:00Z',
    tenant: 'a/b',
    principal: 'x'.repeat(300),
    correlationId: 'with\0nul',
    causationId: '\ud800',
    traceparent: 'nonsense',
    transaction: {},
  } as unknown as ExecuteOptions;
  const error = await thrownBy(() => commands.execute(new Order(), options));
  expect(error.code).toBe('KAPPA_INVALID_PAYLOAD');
  const paths = (error.facts['issues'] as { path: string }[]).map(({ path }) => path);
  expect(paths).toEqual([
    'amount',
    'line.quantity',
    'counterId',
    'options.idempotentcyKey',
    'options.tenant',
    'options.idempotencyKey',
    'options.correlationId',
    'options.causationId',
    'options.principal',
    'options.expectedVersion',
    'options.occurredAt',
    'options.traceparent',
    'options.transaction',
  ]);
  expect(error.message).toContain('did you mean idempotencyKey?');
  expect(error.message).toContain('amount must be whole');
});

it('says so where the id or a time is a bigint, of which JSON knows nothing', async () => {
  const commands = await side.executor();
  const error = await thrownBy(() =>
    commands.execute(new Add(1n as never, 1), { occurredAt: 2n as never, expectedVersion: 3n as never }),
  );
  expect(error).toMatchObject({ code: 'KAPPA_INVALID_PAYLOAD' });
  expect(error.message).toMatch(/not 1n.*not 3.*not 2n/);
  const within = await thrownBy(() => commands.execute(new Add({ a: 1n } as never, 1)));
  expect(within).toMatchObject({ code: 'KAPPA_INVALID_PAYLOAD', message: expect.stringContaining('cannot show') as string });
});

it('tells a command that nobody decides from what is no command', async () => {
  const commands = await side.executor();
  class Addd {
    counterId = 'x';
  }
  expect(await thrownBy(() => commands.execute(new Addd()))).toMatchObject({
    code: 'KAPPA_UNKNOWN_COMMAND',
    message: expect.stringContaining('did you mean Add?') as string,
  });
  for (const nothing of [{ counterId: 'x' }, null, 'Add', [new Add('x', 1)]]) {
    expect(await thrownBy(() => commands.execute(nothing as never))).toMatchObject({
      code: 'KAPPA_UNKNOWN_COMMAND',
      message: expect.stringContaining('is not an instance of a command class') as string,
    });
  }
});

it.each([
  ['2026-11-21T09:30:00Z', true],
  ['2026-11-21T09:30:00.123456789+14:00', true],
  ['2000-02-29T00:00:00-00:30', true],
  ['2024-02-29T23:59:59Z', true],
  ['1900-02-29T00:00:00Z', false],
  ['2023-02-29T00:00:00Z', false],
  ['2026-04-31T00:00:00Z', false],
  ['2026-13-01T00:00:00Z', false],
  ['2026-00-10T00:00:00Z', false],
  ['2026-01-00T00:00:00Z', false],
  ['2026-01-01T24:00:00Z', false],
  ['2026-01-01T00:60:00Z', false],
  ['2026-01-01T00:00:60Z', false],
  ['2026-01-01T00:00:00+24:00', false],
  ['2026-01-01T00:00:00', false],
  ['2026-01-01', false],
  ['2026-01-01 00:00:00Z', false],
  ['yesterday', false],
  [1_700_000_000, false],
])('takes %s for a time: %s', (text, isTime) => {
  expect(isIsoTime(text)).toBe(isTime);
});

it.each<[string, () => unknown, RegExp]>([
  ['a promise', () => Promise.resolve([]), /returned a promise.*do I\/O in prepare/],
  ['nothing', () => undefined, /returned undefined.*\[\] for none/],
  ['an event outside an array', () => Added({ n: 1 }), /returned an object/],
  ['an event type that was not called', () => [Added], /needs its payload|not valid|function/],
  ['something without a type', () => [{ n: 1 }], /returned an object \(Object\) at \[0\]/],
  ['an event of another topic', () => [{ type: 'counter.aded', data: {} }], /counter\.aded.*did you mean counter\.added\?/],
])('says what decide returned in place of events: %s', async (_what, decide, message) => {
  const error = await refusedDecision(decide);
  expect(error.message).toMatch(message);
});

it.each<[string, unknown, string]>([
  ['a Date', { n: new Date() }, 'n'],
  ['NaN', { deep: [{ n: Number.NaN }] }, 'deep[0].n'],
  ['a bigint', { n: 1n }, 'n'],
  ['a Map', new Map(), ''],
  ['the first of several', { fine: [1, { a: 'b' }], list: [null, { at: { when: new Date(), other: 1n } }] }, 'list[1].at.when'],
])('refuses an event that JSON cannot keep: %s', async (_what, data, path) => {
  expect(await refusedDecision(() => [Added(data as never)])).toMatchObject({ code: 'KAPPA_NOT_JSON', facts: { path } });
});

it('checks the payload of events against their shape, class or schema', async () => {
  class Amount {
    @Min(1)
    cents!: number;
  }
  const Paid = event('paid', Amount);
  const Noted = event('noted', z.object({ text: z.string().min(3), times: z.number().default(1) }));
  class Pay {
    constructor(
      readonly payId: string,
      readonly data: unknown,
    ) {}
  }
  const paying = aggregate({
    name: 'paying',
    topic: topic('payments', { events: [Paid, Noted] }),
    id: 'payId',
    initialState: () => ({}),
  })
    .evolve({ paid: (state) => state, noted: (state) => state })
    .decide(Pay, ({ data }) => [data as never]);
  const commands = await side.executor({ aggregates: [paying] });
  expect(await thrownBy(() => commands.execute(new Pay('p', Paid({ cents: 0 }))))).toMatchObject({
    code: 'KAPPA_INVALID_PAYLOAD',
    facts: { issues: [{ path: 'cents' }] },
  });
  expect(await thrownBy(() => commands.execute(new Pay('p', { type: 'noted', data: { text: 'x' } })))).toMatchObject({
    code: 'KAPPA_INVALID_PAYLOAD',
    facts: { issues: [{ path: 'text' }] },
  });
});

it('refuses a record above the limit before anything is appended', async () => {
  const commands = await side.executor({
    aggregates: [deciding(() => [Added({ n: 1 }), { type: 'counter.named', data: { name: 'x'.repeat(1_000_000) } }])],
  });
  expect(await thrownBy(() => commands.execute(new Add('large', 1)))).toMatchObject({
    code: 'KAPPA_RECORD_TOO_LARGE',
    facts: { topic: 'counters', key: 'large', maxRecordBytes: 921_600 },
  });
});

it('refuses a unique value that cannot be one', async () => {
  const commands = await side.executor();
  for (const value of ['', 'with\0nul', 'x'.repeat(900)]) {
    expect(await thrownBy(() => commands.execute(new Name('unique', value)))).toMatchObject({
      code: 'KAPPA_BAD_UNIQUE_VALUE',
      facts: { name: 'counter.name' },
    });
  }
});

it('refuses an event that evolve cannot take, before it is in the log for ever', async () => {
  const failing = Counter.evolve({
    'counter.added': () => {
      throw new TypeError('no such thing');
    },
    'counter.named': (state) => state,
  }).decide(Add, () => [Added({ n: 1 })]);
  const commands = await side.executor({ aggregates: [failing] });
  expect(await thrownBy(() => commands.execute(new Add('evolve', 1)))).toMatchObject({
    code: 'KAPPA_EVOLVE_FAILED',
    facts: { type: 'counter.added', version: 1 },
  });
});

it('refuses aggregates that cannot be told apart', async () => {
  const other = aggregate({
    name: 'other',
    topic: topic('counters', { events: [event('counter.added', type<{ n: number }>())] }),
    id: 'counterId',
    initialState: () => 0,
  })
    .evolve({ 'counter.added': (sum) => sum })
    .decide(Add, () => []);
  expect(await thrownBy(() => side.executor({ aggregates: [deciding(() => []), deciding(() => [])] }))).toMatchObject({
    code: 'KAPPA_BAD_AGGREGATE',
  });
  expect(await thrownBy(() => side.executor({ aggregates: [deciding(() => []), other] }))).toMatchObject({
    code: 'KAPPA_BAD_AGGREGATE',
  });
});

it('refuses commands when it is stopped', async () => {
  const commands = await side.executor();
  await commands.stop();
  await commands.stop();
  expect(await thrownBy(() => commands.execute(new Add('stopped', 1)))).toMatchObject({ code: 'KAPPA_RETRIABLE' });
});
