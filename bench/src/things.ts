import { aggregate, event, projection, topic, type } from 'nest-kappa';
import { Column, Entity, PrimaryColumn } from 'typeorm';

/** Things that are counted: one event a command, one row a thing. */
const Counted = event('thing.counted', type<{ seq: number; text: string }>());

export class Count {
  constructor(
    readonly thingId: string,
    readonly seq: number,
    readonly text: string,
  ) {}
}

@Entity({ name: 'things', synchronize: false })
class ThingRow {
  @PrimaryColumn('text') id!: string;
  @Column('int') n!: number;
  @Column('int') last!: number;
  @Column('int') sum!: number;
}

@Entity({ name: 'texts', synchronize: false })
class TextRow {
  @PrimaryColumn('text') id!: string;
  @Column('text') text!: string;
}

export function thingsOn(partitions: number) {
  const things = topic('things', { partitions, events: [Counted] });
  const thing = aggregate({ name: 'thing', topic: things, id: 'thingId', initialState: () => 0 })
    .evolve({ 'thing.counted': (count) => count + 1 })
    .decide(Count, ({ seq, text }) => [Counted({ seq, text })]);
  const counts = projection({ name: 'things', version: 1, from: [things], table: ThingRow }).on(
    Counted,
    (row, { stream, data }) => ({
      id: stream.id,
      n: (row?.n ?? 0) + 1,
      last: data.seq,
      sum: (row?.sum ?? 0) + data.seq,
    }),
  );
  const texts = projection({ name: 'texts', version: 1, from: [things], table: TextRow }).on(
    Counted,
    (_, { stream, data }) => ({
      id: stream.id,
      text: data.text,
    }),
  );
  return { thing, counts, texts };
}
