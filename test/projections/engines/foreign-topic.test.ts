import { Column, Entity, PrimaryColumn } from 'typeorm';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { event } from '../../../src/kernel/event.js';
import type { ForeignRecord } from '../../../src/kernel/foreign-record.js';
import type { NewRecord } from '../../../src/kernel/record.js';
import { type } from '../../../src/kernel/shape.js';
import { topic } from '../../../src/kernel/topic.js';
import { projection } from '../../../src/modules/projections/projection.js';
import { openHouse, type House } from './house.js';

const Read = event('meter.read', type<{ watts: number }>());

/** Another service's form: CSV, with the meter in the text and the device as key. */
function fromCsv(record: ForeignRecord) {
  const [meter = '', watts, when = ''] = record.text().split(',');
  if (meter === '#') return null;
  if (watts === undefined) throw new Error('has one column');
  return { event: Read({ watts: Number(watts) }), key: meter, occurredAt: when };
}

const meters = topic('meters', { partitions: 3, events: [Read], decode: fromCsv });

@Entity({ synchronize: false })
class MeterRow {
  @PrimaryColumn('text') id!: string;
  @Column('int') readings!: number;
  @Column('bigint') watts!: bigint;
}
const Meters = projection({
  name: 'meters',
  version: 1,
  from: [meters],
  table: MeterRow,
  deadLetters: { halt: true, retries: 0 },
});
const metersV1 = Meters.on(Read, (row, e) => ({
  id: e.stream.id,
  readings: (row?.readings ?? 0) + 1,
  watts: (row?.watts ?? 0n) + BigInt(e.data.watts),
}));

function readings(count: number): readonly NewRecord[] {
  return Array.from({ length: count }, (_, n) => ({
    topic: meters.name,
    partition: n % 3,
    key: `device-${n % 5}`,
    value: Buffer.from(n % 10 === 9 ? '#,comment' : `m${n % 4},${n},2026-01-01T00:00:00Z`),
    headers: {},
  }));
}

describe('a projection of a topic that others write to', () => {
  let house: House;
  beforeEach(async () => {
    house = await openHouse();
    await house.log.createTopic({ name: meters.name, partitions: 3, retention: null });
  });
  afterEach(() => house.stop());

  const expected = (count: number) =>
    ['m0', 'm1', 'm2', 'm3'].map((id, m) => {
      const own = Array.from({ length: count }, (_, n) => n).filter((n) => n % 10 !== 9 && n % 4 === m);
      return { id, readings: own.length, watts: BigInt(own.reduce((sum, n) => sum + n, 0)) };
    });

  it('folds what decode says, rebuilt and live, also where one meter comes through several partitions', async () => {
    await house.appendRecords(readings(300));
    const work = await house.newBuild(metersV1);
    await house.rebuild({ works: [work] });
    expect(await house.rows(work)).toEqual(expected(300));
    const position = await house.appendRecords(readings(600).slice(300));
    house.follow(work);
    await house.reached(work, position);
    expect(await house.rows(work)).toEqual(expected(600));
  });

  it('halts, where it says so, at a record that decode cannot read, with its place and nothing lost', async () => {
    await house.appendRecords(readings(30));
    const work = await house.newBuild(metersV1);
    await house.rebuild({ works: [work] });
    await house.appendRecords([{ ...readings(1)[0]!, value: Buffer.from('nonsense') }]);
    const runner = house.follow(work);
    await runner.done;
    const build = await house.builds.get(work.build.id);
    expect(build?.error).toMatchObject({ code: 'KAPPA_UNDECODABLE', at: { topic: 'meters', partition: 0, offset: 10 } });
    expect(build?.error?.message).toContain('has one column');
  });

  it('refuses an event of no stream where rows are named by streams', async () => {
    const keyless = topic('meters', { partitions: 3, events: [Read], decode: () => ({ event: Read({ watts: 1 }) }) });
    const definition = projection({
      name: 'keyless',
      version: 1,
      from: [keyless],
      table: MeterRow,
      deadLetters: { halt: true, retries: 0 },
    }).on(Read, (_, e) => ({
      id: e.stream.id,
      readings: 1,
      watts: 1n,
    }));
    const work = await house.newBuild(definition);
    await house.rebuild({ works: [work] });
    await house.appendRecords([{ ...readings(1)[0]!, key: null }]);
    await house.follow(work).done;
    expect((await house.builds.get(work.build.id))?.error).toMatchObject({ code: 'KAPPA_BAD_KEY' });
  });
});
