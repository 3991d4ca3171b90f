import { aggregate, event, projection, topic, type } from 'nest-kappa';
import { Column, Entity, PrimaryColumn } from 'typeorm';
import { uniqueName } from '../../../src/testing/log-conformance/log-under-test.js';

export class Count {
  constructor(readonly counterId: string) {}
}

@Entity({ name: 'counters', synchronize: false })
export class CounterRow {
  @PrimaryColumn('text') id!: string;
  @Column('int') value!: number;
}

/** An application with a topic of its own, and a database of its own, whose schema and first build are called as everybody's. */
export function applicationOnKafka() {
  const Counted = event('counter.counted', type<Record<never, never>>());
  const counters = topic(uniqueName('counters'), { partitions: 4, events: [Counted] });
  const counter = aggregate({ name: 'counter', topic: counters, id: 'counterId', initialState: () => ({}) })
    .evolve({ 'counter.counted': (state) => state })
    .decide(Count, () => [Counted({})]);
  const Counters = projection({ name: 'counters', version: 1, from: [counters], table: CounterRow });
  const countersV1 = Counters.on(Counted, (row, e) => ({ id: e.stream.id, value: (row?.value ?? 0) + 1 }));
  return { definitions: { aggregates: [counter], projections: [countersV1] }, Counters, counters };
}
