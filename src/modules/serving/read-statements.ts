import { qualified, quoteIdentifier } from '../../database/identifiers.js';
import type { ColumnDefinition, TableDefinition } from '../projections/table.js';
import type { CursorPlace } from './cursor.js';
import { progressText, type LiveBuild } from './live-build.js';

/** An equality: the text of the value, or null for IS NULL. */
export interface Equality {
  readonly column: ColumnDefinition;
  readonly text: string | null;
}

export interface SortTerm {
  readonly column: ColumnDefinition;
  readonly direction: 'asc' | 'desc';
}

export interface PageQuery {
  readonly where: readonly Equality[];
  /** The key is its end, so that no two rows are equal. */
  readonly sort: readonly SortTerm[];
  readonly limit: number;
  readonly after: CursorPlace | null;
}

/** Of a page: never named, for its plan depends on the values. */
export interface ReadStatement {
  readonly text: string;
  readonly values: readonly string[];
}

/** What stands behind the row's own columns in every answer, in this order; the last only where it is asked for. */
export const STAMP = { build: 0, position: 1, line: 2, sizes: 3 } as const;

/**
 * Pointer, position and row in one statement, so in one snapshot. The table is the one the reader knows; the answer counts only
 * when the pointer still names its build. `$1` is the projection, the others are the key. `sizes` is a column that tells how
 * large the tables are on whose size a plan depends.
 *
 * ```sql
 * select t."id", t."paid", p.active_build, (select … from progress …), 1, pg_relation_size(…) || ',' || pg_relation_size(…)
 *   from projections p
 *   left join "kappa"."fines_v1_b3" t on t."id" = $2::text
 *  where p.name = $1
 * ```
 */
export function rowText(
  schema: string,
  live: LiveBuild,
  table: TableDefinition,
  key: readonly ColumnDefinition[],
  sizes: string | null,
): string {
  const conditions = key.map(({ name, type }, part) => `t.${quoteIdentifier(name)} = $${part + 2}::${comparable(type)}`);
  return `
select ${columnList('t', table)}, p.active_build, (${progressText(schema)}), 1${sizes === null ? '' : `, ${sizes}`}
  from ${qualified(schema, 'projections')} p
  left join ${qualified(schema, live.tableName)} t on ${conditions.join(' and ')}
 where p.name = $1`;
}

/**
 * As {@link rowText} for so many keys, one after the other behind `$1`; `line` counts them from 1, and only its first has a stamp.
 * As a list, not as arrays: of the items of an array that it does not know PostgreSQL takes there to be ten, so that for fewer a plan
 * made anew looks cheaper than one for all keys, each time.
 */
export function rowsText(
  schema: string,
  live: LiveBuild,
  table: TableDefinition,
  key: readonly ColumnDefinition[],
  count: number,
  sizes: string | null,
): string {
  const lines = Array.from({ length: count }, (_, line) => {
    const parts = key.map(({ type }, part) => `$${line * key.length + part + 2}::${comparable(type)}`);
    return `(${[line + 1, ...parts].join(', ')})`;
  });
  const conditions = key.map(({ name }, part) => `t.${quoteIdentifier(name)} = k.part${part}`);
  const first = (text: string): string => `case when k.line = 1 then (${text}) end`;
  return `
select ${columnList('t', table)}, ${first('p.active_build')}, ${first(progressText(schema))}, k.line${sizes === null ? '' : `, ${first(sizes)}`}
  from ${qualified(schema, 'projections')} p
 cross join (values ${lines.join(', ')}) k(line, ${key.map((_, part) => `part${part}`).join(', ')})
  left join ${qualified(schema, live.tableName)} t on ${conditions.join(' and ')}
 where p.name = $1`;
}

/** As {@link rowText} for a page; the stamp stands in the first line only. One row more than asked tells whether a page follows. */
export function pageStatement(
  projection: string,
  schema: string,
  live: LiveBuild,
  table: TableDefinition,
  query: PageQuery,
): ReadStatement {
  const parameters = new Parameters(projection);
  const conditions = query.where.map((equality) => equals(equality, parameters));
  if (query.after !== null) conditions.push(isAfter(query.sort, query.after, live, parameters));
  const order = query.sort.map(({ column, direction }) => `t.${quoteIdentifier(column.name)} ${direction}`).join(', ');
  const text = `
select ${columnList('r', table)}, p.active_build, case when coalesce(r.kappa_line, 1) = 1 then (${progressText(schema)}) end
  from ${qualified(schema, 'projections')} p
  left join lateral (
       select s.*, row_number() over () as kappa_line
         from (select ${columnList('t', table)}
                 from ${qualified(schema, live.tableName)} t
                ${conditions.length > 0 ? `where ${conditions.join(' and ')}` : ''}
                order by ${order}
                limit ${parameters.add(String(query.limit + 1), 'bigint')}) s) r on true
 where p.name = $1
 order by r.kappa_line`;
  return { text, values: parameters.values };
}

/** PostgreSQL sorts NULLs last ascending and first descending; so does this comparison. */
function isAfter(sort: readonly SortTerm[], after: CursorPlace, live: LiveBuild, parameters: Parameters): string {
  const terms = sort.map((term, index) => {
    const text = after[index] ?? null;
    return {
      ...term,
      name: `t.${quoteIdentifier(term.column.name)}`,
      nullable: live.nullable.has(term.column.name),
      value: text === null ? null : parameters.add(text, comparable(term.column.type)),
    };
  });
  if (terms.every(({ direction, nullable }) => !nullable && direction === sort[0]?.direction)) {
    const sign = sort[0]?.direction === 'desc' ? '<' : '>';
    return `(${terms.map(({ name }) => name).join(', ')}) ${sign} (${terms.map(({ value }) => value).join(', ')})`;
  }
  const alternatives = terms.flatMap(({ name, nullable, direction, value }, index) => {
    const later =
      direction === 'asc'
        ? value === null
          ? null
          : nullable
            ? `(${name} > ${value} or ${name} is null)`
            : `${name} > ${value}`
        : value === null
          ? `${name} is not null`
          : `${name} < ${value}`;
    if (later === null) return [];
    const equal = terms
      .slice(0, index)
      .map((before) => (before.value === null ? `${before.name} is null` : `${before.name} = ${before.value}`));
    return [`(${[...equal, later].join(' and ')})`];
  });
  return `(${alternatives.join(' or ')})`;
}

function equals({ column, text }: Equality, parameters: Parameters): string {
  const name = `t.${quoteIdentifier(column.name)}`;
  return text === null ? `${name} is null` : `${name} = ${parameters.add(text, comparable(column.type))}`;
}

function columnList(alias: string, table: TableDefinition): string {
  return table.columns.map(({ name }) => `${alias}.${quoteIdentifier(name)}`).join(', ');
}

/** A type without its length or scale: a cast to `numeric(12,2)` would round, and one to `character varying(3)` cut, what is looked for. */
function comparable(type: string): string {
  const bare = type.replace(/\([^)]*\)/, '');
  return bare === 'character' ? 'bpchar' : bare === 'bit' ? 'varbit' : bare;
}

class Parameters {
  readonly values: string[];

  constructor(projection: string) {
    this.values = [projection];
  }

  add(value: string, type: string): string {
    this.values.push(value);
    return `$${this.values.length}::${type}`;
  }
}
