import { aggregate, event, projection, topic, type } from 'nest-kappa';
import { Column, Entity, PrimaryColumn } from 'typeorm';

/** How many streams are written to, and so how many rows a whole table has. */
export const TALLIES = 20;

export const Counted = event('tally.counted', type<{ by: number }>());
export const tallies = topic('tallies', { partitions: 4, events: [Counted] });

export class Count {
  constructor(
    readonly tallyId: string,
    readonly by: number,
  ) {}
}

export const tally = aggregate({ name: 'tally', topic: tallies, id: 'tallyId', initialState: () => 0 })
  .evolve({ 'tally.counted': (sum, { data }) => sum + data.by })
  .decide(Count, ({ by }) => [Counted({ by })]);

/** Every row says which version made it: an answer with two labels would be a mixture. */
@Entity({ name: 'tallies', synchronize: false })
export class TallyRow {
  @PrimaryColumn('text') id!: string;
  @Column('text') label!: string;
  @Column('int') sum!: number;
}

@Entity({ name: 'tallies', synchronize: false })
export class TallyRowWithTwice extends TallyRow {
  @Column('int') twice!: number;
}

export const Tallies = projection({ name: 'tallies', version: 1, from: [tallies], table: TallyRow });
export const talliesV1 = Tallies.on(Counted, (row, { stream, data }) => ({
  id: stream.id,
  label: 'v1',
  sum: (row?.sum ?? 0) + data.by,
}));

export const talliesV2 = projection({ name: 'tallies', version: 2, from: [tallies], table: TallyRow }).on(
  Counted,
  (row, { stream, data }) => ({
    id: stream.id,
    label: 'v2',
    sum: (row?.sum ?? 0) + data.by,
  }),
);

/** Appends a column. */
export const talliesV3 = projection({ name: 'tallies', version: 3, from: [tallies], table: TallyRowWithTwice }).on(
  Counted,
  (row, { stream, data }) => {
    const sum = (row?.sum ?? 0) + data.by;
    return { id: stream.id, label: 'v3', sum, twice: 2 * sum };
  },
);
