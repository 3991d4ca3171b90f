import 'reflect-metadata';
import { Min } from 'class-validator';
import { describe, expect, it } from 'vitest';
import { refuse } from '../../src/kernel/errors.js';
import { event, type Recorded } from '../../src/kernel/event.js';
import { type } from '../../src/kernel/shape.js';
import { topic } from '../../src/kernel/topic.js';
import { aggregate } from '../../src/modules/aggregates/aggregate.js';
import { given } from '../../src/testing/given.js';

const Opened = event('fine.opened', type<{ amount: number }>());
const Paid = event(
  'fine.paid',
  type<{ amount: number; at: string; receipt: string; by: string | null; note?: string | undefined }>(),
);
const fines = topic('fines', { events: [Opened, Paid] });

class Tariffs {
  async of(amount: number): Promise<number> {
    return Promise.resolve(amount / 10);
  }
}
class Open {
  constructor(
    readonly fineId: string,
    readonly amount: number,
  ) {}
}
class Pay {
  fineId: string;
  @Min(1)
  amount: number;
  constructor(fineId: string, amount: number) {
    this.fineId = fineId;
    this.amount = amount;
  }
}
class AddPenalty {
  constructor(readonly fineId: string) {}
}

interface FineState {
  readonly due: number;
}

const Fine = aggregate({ name: 'fine', topic: fines, id: 'fineId', initialState: (): FineState => ({ due: 0 }) });

const fine = Fine.evolve({
  'fine.opened': (state, { data }) => ({ due: state.due + data.amount }),
  'fine.paid': (state, { data }) => ({ due: state.due - data.amount }),
})
  .decide(Open, ({ amount }, { due }) => (due > 0 ? [] : [Opened({ amount })]))
  .decide(Pay, ({ amount }, { due }, { now, newId, tenant }) =>
    due < amount
      ? refuse('fine.overpaid', { due })
      : [Paid({ amount, at: now, receipt: newId(), by: tenant, note: undefined })],
  )
  .decide(
    AddPenalty,
    (_command, { due }, inject) => inject(Tariffs).of(due),
    (_command, _state, { facts }) => [Opened({ amount: facts })],
  );

@Fine.Decider()
class FineDecider {
  @Fine.Evolve(Opened) opened(state: FineState, { data }: Recorded<typeof Opened>): FineState {
    return { due: state.due + data.amount };
  }
  @Fine.Evolve(Paid) paid(state: FineState, { data }: Recorded<typeof Paid>): FineState {
    return { due: state.due - data.amount };
  }
  @Fine.Decide(Open) open({ amount }: Open, { due }: FineState) {
    return due > 0 ? [] : [Opened({ amount })];
  }
  @Fine.Decide(Pay) pay(
    { amount }: Pay,
    { due }: FineState,
    { now, newId, tenant }: { now: string; newId(): string; tenant: string | null },
  ) {
    return due < amount ? refuse('fine.overpaid', { due }) : [Paid({ amount, at: now, receipt: newId(), by: tenant })];
  }
  @Fine.Decide(AddPenalty, (_command, { due }, inject) => inject(Tariffs).of(due)) penalty(
    _command: AddPenalty,
    _state: FineState,
    { facts }: { facts: number },
  ) {
    return [Opened({ amount: facts })];
  }
}

const NOW = '2026-01-01T00:00:00.000Z';

describe.each([
  ['the object form', fine],
  ['a decorated class', FineDecider],
])('given %s', (_form, aggregateUnderTest) => {
  it('holds when the command is decided to these events', async () => {
    await given(aggregateUnderTest, Opened({ amount: 50 }))
      .when(new Pay('f', 20))
      .then(Paid({ amount: 20, at: NOW, receipt: 'id-1', by: null }));
    await given(aggregateUnderTest, Opened({ amount: 50 }))
      .when(new Pay('f', 20), { tenant: 'acme', now: '2026-05-05T00:00:00.000Z', ids: ['r1'] })
      .then(Paid({ amount: 20, at: '2026-05-05T00:00:00.000Z', receipt: 'r1', by: 'acme' }));
  });

  it('holds when nothing happens, or the command is refused', async () => {
    await given(aggregateUnderTest, Opened({ amount: 50 }))
      .when(new Open('f', 5))
      .thenNothing();
    await given(aggregateUnderTest).when(new Pay('f', 5)).thenRefused('fine.overpaid');
    await given(aggregateUnderTest).when(new Pay('f', 0)).thenRefused('KAPPA_INVALID_PAYLOAD');
  });

  it('prepares with services or with facts', async () => {
    const when = given(aggregateUnderTest, Opened({ amount: 50 })).when(new AddPenalty('f'));
    await when.with({ inject: new Map([[Tariffs, new Tariffs()]]) }).then(Opened({ amount: 5 }));
    await when.with({ inject: (token) => new (token as never as new () => never)() }).then(Opened({ amount: 5 }));
    await when.with({ facts: 7 }).then(Opened({ amount: 7 }));
    await expect(when.then(Opened({ amount: 5 }))).rejects.toMatchObject({
      code: 'KAPPA_NOT_GIVEN',
      message: expect.stringContaining('Tariffs') as string,
    });
  });

  it('fails with a difference that can be read', async () => {
    const paying = given(aggregateUnderTest, Opened({ amount: 50 })).when(new Pay('f', 20));
    await expect(paying.then(Paid({ amount: 21, at: NOW, receipt: 'id-1', by: null }))).rejects.toMatchObject({
      name: 'AssertionError',
      actual: [{ type: 'fine.paid', data: { amount: 20 } }],
      expected: [{ type: 'fine.paid', data: { amount: 21 } }],
    });
    await expect(paying.thenNothing()).rejects.toThrow('No event was expected');
    await expect(paying.thenRefused('fine.overpaid')).rejects.toThrow('was not refused');
    await expect(given(aggregateUnderTest).when(new Pay('f', 5)).thenRefused('fine.closed')).rejects.toThrow('another code');
    await expect(given(aggregateUnderTest).when(new Pay('f', 5)).then()).rejects.toMatchObject({ code: 'fine.overpaid' });
  });

  it('tells a mistake in the test itself', async () => {
    await expect(
      given(aggregateUnderTest)
        .when(new Open('f', 5))
        .then(Opened as never),
    ).rejects.toMatchObject({ code: 'KAPPA_NOT_AN_EVENT' });
    await expect(
      given(aggregateUnderTest, Opened as never)
        .when(new Open('f', 5))
        .thenNothing(),
    ).rejects.toMatchObject({ code: 'KAPPA_NOT_AN_EVENT' });
    // An awaited `when` is asked for its `then` as a promise is.
    const awaited: unknown = given(aggregateUnderTest).when(new Open('f', 5));
    await expect(Promise.resolve(awaited)).rejects.toMatchObject({
      code: 'KAPPA_NOT_AN_EVENT',
    });
    const other = event('other.happened', type<object>());
    await expect(
      given(aggregateUnderTest, other({}) as never)
        .when(new Open('f', 5))
        .thenNothing(),
    ).rejects.toMatchObject({ code: 'KAPPA_UNKNOWN_EVENT_TYPE' });
  });
});
