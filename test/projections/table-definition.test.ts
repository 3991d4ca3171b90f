import {
  BaseEntity,
  BeforeInsert,
  Check,
  Column,
  CreateDateColumn,
  DeleteDateColumn,
  Entity,
  Exclusion,
  Generated,
  Index,
  ManyToOne,
  OneToMany,
  PrimaryColumn,
  PrimaryGeneratedColumn,
  TableInheritance,
  Unique,
  UpdateDateColumn,
  VersionColumn,
} from 'typeorm';
import { describe, expect, it } from 'vitest';
import { KappaError } from '../../src/kernel/errors.js';
import { event } from '../../src/kernel/event.js';
import { type } from '../../src/kernel/shape.js';
import { topic } from '../../src/kernel/topic.js';
import type { Class } from '../../src/kernel/types.js';
import { projection, type ProjectionDefinition } from '../../src/modules/projections/projection.js';
import { tableDefinition } from '../../src/modules/projections/table-definition.js';

const Happened = event('thing.happened', type<{ n: number }>());
const things = topic('things', { events: [Happened] });

function over<R extends object>(table: Class<R>, tenant?: string): ProjectionDefinition {
  return projection({
    name: 'things',
    version: 1,
    from: [things],
    table,
    ...(tenant === undefined ? {} : { tenant: tenant as never }),
  });
}

function problemsOf(definition: ProjectionDefinition): readonly string[] {
  try {
    tableDefinition(definition);
  } catch (error) {
    if (error instanceof KappaError && error.code === 'KAPPA_BAD_TABLE') return error.facts['problems'] as string[];
    throw error;
  }
  return [];
}

type Mood = 'calm' | 'wild';

class Base {
  @PrimaryColumn('text') id!: string;
}

@Entity({ name: 'things', synchronize: false })
@Index(['mood', 'size'])
@Index(() => ({ at: 1 }), { where: 'size > 3' })
class ThingRow extends Base {
  @Column({ length: 40 }) title!: string;
  @Column('numeric', { precision: 12, scale: 2, default: '0.00' }) paid!: string;
  @Column('bigint') big!: bigint;
  @Column('int8', { name: 'big_text' }) bigText!: string;
  @Column('int', { nullable: true }) size!: number | null;
  @Column('timestamptz') at!: string;
  @Column('timestamptz') seen!: Date;
  @Column('timestamptz', { nullable: true }) gone!: string | null;
  @Column('jsonb', { default: { a: "it's" } }) facts!: { a: string };
  @Column({ type: 'enum', enum: ['calm', 'wild'] }) mood!: Mood;
  @Column('text', { array: true, default: [] }) tags!: string[];
  @Column('float') ratio!: number;
  @Column() open!: boolean;
}

describe('a table definition', () => {
  it('spells the columns of an entity as PostgreSQL does, parents first', () => {
    const table = tableDefinition(over(ThingRow));
    expect(table.columns.map((column) => [column.name, column.type, column.value, column.nullable])).toEqual([
      ['id', 'text', 'string', false],
      ['title', 'character varying(40)', 'string', false],
      ['paid', 'numeric(12,2)', 'string', false],
      ['big', 'bigint', 'bigint', false],
      ['big_text', 'bigint', 'string', false],
      ['size', 'integer', 'number', true],
      ['at', 'timestamp with time zone', 'string', false],
      ['seen', 'timestamp with time zone', 'date', false],
      ['gone', 'timestamp with time zone', 'string', true],
      ['facts', 'jsonb', 'json', false],
      ['mood', 'text', 'string', false],
      ['tags', 'text[]', 'array', false],
      ['ratio', 'double precision', 'number', false],
      ['open', 'boolean', 'boolean', false],
    ]);
    expect(table.key).toEqual(['id']);
    expect(table.indexes).toEqual([
      { columns: ['at'], where: 'size > 3' },
      { columns: ['mood', 'size'], where: null },
    ]);
    expect(table.columns.filter((column) => column.default !== null).map((column) => column.default)).toEqual([
      "'0.00'",
      '\'{"a":"it\'\'s"}\'',
      "'{}'",
    ]);
    expect(table.columns.find((column) => column.name === 'mood')?.oneOf).toEqual(['calm', 'wild']);
  });

  it('leaves the data source of an active-record entity alone', () => {
    @Entity({ synchronize: false })
    class ActiveRow extends BaseEntity {
      @PrimaryColumn('text') id!: string;
    }
    tableDefinition(over(ActiveRow));
    expect(() => ActiveRow.getRepository()).toThrow(/DataSource is not set/);
  });

  it('refuses every unsupported feature by name, all in one error', () => {
    @Entity({ synchronize: false })
    class OtherRow {
      @PrimaryColumn('text') id!: string;
      @OneToMany(() => BadRow, 'other') bads!: unknown[];
    }
    class Embedded {
      @Column('text') street!: string;
    }
    @Entity()
    @Unique(['title'])
    @Check('size > 0')
    @Exclusion('using gist (at with &&)')
    @Index(['title'], { unique: true })
    @TableInheritance({ column: { type: 'text', name: 'kind' } })
    class BadRow {
      @PrimaryGeneratedColumn() id!: number;
      @Column('text') title!: string;
      @Column('uuid') @Generated('uuid') token!: string;
      @Column({ type: 'text', asExpression: "title || '!'", generatedType: 'STORED' }) loud!: string;
      @ManyToOne(() => OtherRow) other!: unknown;
      @Column(() => Embedded) address!: Embedded;
      @CreateDateColumn() created!: Date;
      @UpdateDateColumn() updated!: Date;
      @DeleteDateColumn() deleted!: Date;
      @VersionColumn() lock!: number;
      @Column('simple-json') facts!: object;
      @Column('text', { transformer: { to: String, from: String } }) shaped!: string;
      @Column('text', { name: 'xmin' }) system!: string;
      @BeforeInsert() before(): void {
        this.title = '';
      }
    }
    const problems = problemsOf(over(BadRow)).join('\n');
    for (const word of [
      'synchronize: false',
      'other is a relation',
      'address is embedded',
      'id is a generated',
      'token is a generated',
      'loud is a generated',
      'title is unique',
      'index on title is unique',
      'check ',
      'exclusion ',
      'before is a listener',
      'inheritance',
      '@CreateDateColumn',
      '@UpdateDateColumn',
      '@DeleteDateColumn',
      '@VersionColumn',
      'facts has type simple-json: use jsonb',
      'shaped has a transformer',
      'system is named xmin',
    ]) {
      expect(problems).toContain(word);
    }
    expect(problemsOf(over(OtherRow)).join()).toContain('bads is a relation');
  });

  it('refuses money as a JS number, and what else would lose digits', () => {
    @Entity({ synchronize: false })
    class LossyRow {
      @PrimaryColumn('text') id!: string;
      @Column('numeric', { precision: 12, scale: 2 }) paid!: number;
      @Column('decimal') rate!: number;
      @Column('bigint') cents!: number;
      @Column() guessed!: number;
      @Column('real') rough!: number;
      @Column('money') money!: string;
      @Column('timestamp') local!: Date;
      @Column({ type: 'timestamptz', precision: 3 }) cut!: string;
      @Column('date') day!: Date;
      @Column('timestamptz', { nullable: true }) maybe!: Date;
    }
    const problems = problemsOf(over(LossyRow));
    expect(problems.map((problem) => problem.split(' ')[0])).toEqual([
      'paid',
      'rate',
      'cents',
      'guessed',
      'rough',
      'money',
      'local',
      'cut',
      'day',
      'maybe',
    ]);
    expect(problems[0]).toContain('declare it as string');
  });

  it('wants a tenant that is a primary text column, and one key besides it for the id of the stream', () => {
    @Entity({ synchronize: false })
    class TwoKeys {
      @PrimaryColumn('text') tenant!: string;
      @PrimaryColumn('text') id!: string;
      @Column('text') owner!: string;
    }
    const byStream = (given: ProjectionDefinition): ProjectionDefinition => ({
      ...given,
      handlers: [{ type: 'thing.happened', key: null, run: { kind: 'fold', fold: () => null } }],
    });
    expect(problemsOf(byStream(over(TwoKeys, 'tenant')))).toEqual([]);
    expect(problemsOf(byStream(over(TwoKeys))).join()).toContain("thing.happened is keyed by the stream's id");
    expect(problemsOf(over(TwoKeys, 'owner')).join()).toContain(
      'the tenant column owner must be a @PrimaryColumn of type text',
    );
  });

  it('refuses a key whose text is not its identity', () => {
    @Entity({ synchronize: false })
    class OddKey {
      @PrimaryColumn('numeric') rate!: string;
      @PrimaryColumn('double precision') ratio!: number;
      @PrimaryColumn('jsonb') facts!: object;
    }
    expect(problemsOf(over(OddKey)).map((problem) => problem.split(' ')[0])).toEqual(['rate', 'ratio', 'facts']);
    class NoEntity {
      id!: string;
    }
    expect(problemsOf(over(NoEntity))).toContain('it is not decorated with @Entity');
  });
});
