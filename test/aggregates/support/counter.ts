import { event } from '../../../src/kernel/event.js';
import { refuse } from '../../../src/kernel/errors.js';
import { type } from '../../../src/kernel/shape.js';
import { topic } from '../../../src/kernel/topic.js';
import { aggregate } from '../../../src/modules/aggregates/aggregate.js';

export const Added = event('counter.added', type<{ n: number }>());
export const Named = event('counter.named', type<{ name: string | null }>());
export const counters = topic('counters', { partitions: 8, events: [Added, Named] });

export interface CounterState {
  readonly sum: number;
  readonly name: string | null;
}

export class Add {
  constructor(
    readonly counterId: string,
    readonly n: number,
    readonly times = 1,
  ) {}
}

/** Emits nothing when the sum is reached already. */
export class RaiseTo {
  constructor(
    readonly counterId: string,
    readonly sum: number,
  ) {}
}

/** Refused when the sum would fall below zero. */
export class Take {
  constructor(
    readonly counterId: string,
    readonly n: number,
  ) {}
}

export class Name {
  constructor(
    readonly counterId: string,
    readonly name: string | null,
  ) {}
}

export const Counter = aggregate({
  name: 'counter',
  topic: counters,
  id: 'counterId',
  initialState: (): CounterState => ({ sum: 0, name: null }),
  unique: { 'counter.name': (state) => state.name },
  snapshots: { every: 10 },
});

export const counter = Counter.evolve({
  'counter.added': (state, { data }) => ({ ...state, sum: state.sum + data.n }),
  'counter.named': (state, { data }) => ({ ...state, name: data.name }),
})
  .decide(Add, ({ n, times }) => Array.from({ length: times }, () => Added({ n })))
  .decide(RaiseTo, ({ sum }, state) => (state.sum >= sum ? [] : [Added({ n: sum - state.sum })]))
  .decide(Take, ({ n }, state) => (state.sum < n ? refuse('counter.too-low', { sum: state.sum }) : [Added({ n: -n })]))
  .decide(Name, ({ name }) => [Named({ name })]);
