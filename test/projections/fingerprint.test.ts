import { Column, Entity, PrimaryColumn } from 'typeorm';
import { describe, expect, it } from 'vitest';
import { event } from '../../src/kernel/event.js';
import { type } from '../../src/kernel/shape.js';
import { topic } from '../../src/kernel/topic.js';
import type { Build, BuildShape } from '../../src/modules/projections/build.js';
import { fingerprintOf, isSameCode, judgeBuild, shapeDifferences } from '../../src/modules/projections/fingerprint.js';
import { projection, projectionDefinition, type ProjectionDefinition } from '../../src/modules/projections/projection.js';
import { tableDefinition } from '../../src/modules/projections/table-definition.js';

const Paid = event('paid', type<{ cents: number }>());
const Closed = event('closed', type<object>());
const fines = topic('fines', { partitions: 4, events: [Paid, Closed] });

@Entity({ synchronize: false })
class FineRow {
  @PrimaryColumn('text') id!: string;
  @Column('numeric', { precision: 10, scale: 2 }) paid!: string;
}

const Fines = projection({ name: 'fines', version: 1, from: [fines], table: FineRow });
const codeOf = (definition: ProjectionDefinition): string => fingerprintOf(definition, tableDefinition(definition)).code;
const base = Fines.on(Paid, (_, e) => ({ id: e.stream.id, paid: `${e.data.cents + 1}.00` }));

describe('a fingerprint', () => {
  it('sees handler code by its syntax tree, not by its formatting', () => {
    // prettier-ignore
    const reformatted = Fines.on(Paid, (_, e) => {
      /* another way to lay it out */ return { id: e.stream.id, paid: `${e.data.cents + 1}.00` };
    });
    // prettier-ignore
    const spaced = Fines.on(Paid,    (_,   e)  =>  ( {   id : e.stream.id,
      paid: `${ e.data.cents+1 }.00` } ));
    const changed = Fines.on(Paid, (_, e) => ({ id: e.stream.id, paid: `${e.data.cents + 2}.00` }));
    expect(codeOf(spaced)).toBe(codeOf(base));
    expect(codeOf(changed)).not.toBe(codeOf(base));
    expect(codeOf(reformatted)).toBe(codeOf(base));
  });

  it('sees keys, other events and upcasters, but not the order between events', () => {
    const keyed = Fines.on(Paid, { key: (e) => ({ id: e.id }) }, (_, e) => ({
      id: e.stream.id,
      paid: `${e.data.cents + 1}.00`,
    }));
    expect(codeOf(keyed)).not.toBe(codeOf(base));
    const one = base.on(Closed, () => null);
    const other = Fines.on(Closed, () => null).on(Paid, (_, e) => ({ id: e.stream.id, paid: `${e.data.cents + 1}.00` }));
    expect(codeOf(one)).toBe(codeOf(other));
    const upcast = (add: string): string => {
      const Next = Paid.next(
        type<{ amount: string }>(),
        add === 'a' ? (old) => ({ amount: `${old.cents}` }) : (old) => ({ amount: `${old.cents}0` }),
      );
      return codeOf(
        projection({ name: 'fines', version: 1, from: [topic('fines', { events: [Next] })], table: FineRow }).on(
          Next,
          () => null,
        ),
      );
    };
    expect(upcast('a')).not.toBe(upcast('b'));
  });

  it('sees the method behind a decorated handler', () => {
    const of = (cents: 1 | 2): string => {
      @Fines.Handlers()
      class One {
        @Fines.On(Paid) paid(): FineRow {
          return Object.assign(new FineRow(), { id: 'a', paid: '1.00' });
        }
      }
      @Fines.Handlers()
      class Two {
        @Fines.On(Paid) paid(): FineRow {
          return Object.assign(new FineRow(), { id: 'a', paid: '2.00' });
        }
      }
      return codeOf(projectionDefinition(cents === 1 ? One : Two));
    };
    expect(of(1)).toBe(of(1));
    expect(of(1)).not.toBe(of(2));
  });

  it('tells a difference of shape in words', () => {
    const before: BuildShape = {
      columns: [
        { name: 'id', type: 'text', nullable: false, default: null },
        { name: 'paid', type: 'numeric(10,2)', nullable: false, default: null },
        { name: 'note', type: 'text', nullable: true, default: null },
      ],
      key: ['id'],
      topics: [{ name: 'fines', partitions: 4 }],
      events: ['closed@1', 'paid@1'],
    };
    const now: BuildShape = {
      columns: [
        { name: 'paid', type: 'numeric(12,2)', nullable: true, default: "'0'" },
        { name: 'id', type: 'text', nullable: false, default: null },
        { name: 'month', type: 'date', nullable: false, default: null },
      ],
      key: ['id', 'month'],
      topics: [
        { name: 'fines', partitions: 8 },
        { name: 'cars', partitions: 1 },
      ],
      events: ['paid@2', 'opened@1'],
    };
    expect(shapeDifferences(before, before)).toEqual([]);
    expect(shapeDifferences(before, now)).toEqual([
      'column paid: numeric(10,2) → numeric(12,2)',
      'column paid: not null → nullable',
      "column paid: default none → '0'",
      'column note (text) removed',
      'column month (date) added',
      'key: id → id, month',
      'topic fines: 4 partitions → 8 partitions',
      'topic cars (1 partitions) added',
      'event closed removed',
      'event paid: version 1 → version 2',
      'event opened (version 1) added',
    ]);
  });

  it('refuses a changed shape under an unchanged version, and leaves changed code to the policy', () => {
    const declared = fingerprintOf(base, tableDefinition(base));
    const build = { projection: 'fines', version: 1, number: 3, shape: declared.shape, code: `old ${declared.code}` } as Build;
    expect(judgeBuild(build, declared, 'rebuild')).toBe('same');
    expect(isSameCode(build, 'ol')).toBe(false);
    expect(judgeBuild({ ...build, code: 'old' }, declared, 'rebuild')).toBe('rebuild');
    expect(judgeBuild({ ...build, code: 'old' }, declared, 'warn')).toBe('warn');
    expect(() => judgeBuild({ ...build, shape: { ...build.shape, key: [] } }, declared, 'warn')).toThrow(
      /KAPPA_SHAPE_CHANGED: fines v1 is declared otherwise than fines v1 build 3 was built: key: {2}→ id\. Declare version 2/,
    );
  });
});
