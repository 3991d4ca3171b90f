import 'reflect-metadata';
import { Column, Entity, PrimaryColumn } from 'typeorm';
import { afterEach, describe, expect, it } from 'vitest';
import { aggregate, event, projection, topic, type } from 'nest-kappa';
import { startKappaTest, type KappaTest } from 'nest-kappa/testing';

const Counted = event('tally.counted', type<object>());
const tallies = topic('tallies', { partitions: 2, events: [Counted] });
class Count {
  constructor(readonly tallyId: string) {}
}
const tally = aggregate({ name: 'tally', topic: tallies, id: 'tallyId', initialState: () => ({}) })
  .evolve({ 'tally.counted': (state) => state })
  .decide(Count, () => [Counted({})]);

@Entity({ synchronize: false })
class TallyRow {
  @PrimaryColumn('text') id!: string;
  @Column('int') version!: number;
  @Column('int') count!: number;
}
/** One column more, so that a reader of version 1 reads the table of version 2. */
@Entity({ synchronize: false })
class WiderTallyRow {
  @Column('text') note!: string;
  @PrimaryColumn('text') id!: string;
  @Column('int') count!: number;
  @Column('int') version!: number;
}
const Tallies = projection({ name: 'tallies', version: 1, from: [tallies], table: TallyRow });
const talliesV1 = Tallies.on(Counted, (row, e) => ({ id: e.stream.id, version: 1, count: (row?.count ?? 0) + 1 }));
const WiderTallies = projection({ name: 'tallies', version: 2, from: [tallies], table: WiderTallyRow });
const talliesV2 = WiderTallies.on(Counted, (row, e) => ({
  id: e.stream.id,
  note: 'wide',
  version: 2,
  count: (row?.count ?? 0) + 1,
}));

const STREAMS = 4;

describe('reads while builds are swapped', () => {
  let kappa: KappaTest | null = null;
  afterEach(() => kappa?.stop());

  it('never fail, never mix versions, and never miss what they wait for', async () => {
    kappa = await startKappaTest({ aggregates: [tally], projections: [talliesV1, talliesV2] });
    const { commands, operations } = kappa;
    const reader = kappa.reader(Tallies);
    for (let n = 0; n < 40; n += 1) await commands.execute(new Count(`t${n % STREAMS}`));
    await kappa.caughtUp();

    const counts = new Map<string, number>(Array.from({ length: STREAMS }, (_, n) => [`t${n}`, 10]));
    const seen = new Set<number>();
    let swapping = true;
    const look = async (stream: string): Promise<void> => {
      while (swapping) {
        const { position } = await commands.execute(new Count(stream));
        const counted = (counts.get(stream) ?? 0) + 1;
        counts.set(stream, counted);
        const { row, stamp } = await reader.read(stream, { at: position, timeoutMs: 20_000 });
        expect(row).toEqual({ id: stream, version: stamp.version, count: counted });
        const page = await reader.list({ sort: [{ by: 'count', direction: 'desc' }] });
        expect(new Set(page.rows.map(({ version }) => version))).toEqual(new Set([page.stamp.version]));
        expect(page.rows).toHaveLength(STREAMS);
        seen.add(stamp.version);
      }
    };
    const looking = Promise.all(Array.from(counts.keys(), look));
    const swaps = (async () => {
      // The newest version was built first, as nothing was live; the older one beside it.
      for await (const step of operations.rebuild({ projections: ['tallies@1'], swap: true })) expect(step.error).toBeNull();
      for (let round = 0; round < 4; round += 1) {
        await operations.rollback(['tallies']);
        await operations.swap(['tallies'], { version: 1 });
      }
    })().finally(() => (swapping = false));
    await Promise.all([looking, swaps]);
    expect([...seen].sort()).toEqual([1, 2]);
    expect((await reader.list()).rows.map(({ id, count }) => [id, count])).toEqual([...counts]);
  }, 60_000);
});
