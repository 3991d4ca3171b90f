import { qualified, quoteIdentifier, quoteLiteral } from '../../database/identifiers.js';
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
  readonly values: readonly (string | number | null)[];
}

/** Columns that stand before the row's own in every answer: build, position. */
export const STAMP_COLUMNS = 2;

/**
 * Pointer, position and row in one statement, so in one snapshot. The table is the one the reader knows; the answer counts only
 * when the pointer still names its build. `$1` is the projection, the others are the key. Behind the row stand the bytes of the
 * tables whose size a plan depends on, where they are asked for.
 *
 * ```sql
 * select p.active_build, (select … from progress …), t."id", t."paid", pg_relation_size(…) || ',' || pg_relation_size(…)
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
  withSizes: boolean,
): string {
  const sizes = [live.tableName, 'progress'].map(
    (name) => `pg_relation_size(${quoteLiteral(qualified(schema, name))}::regclass)`,
  );
  const conditions = key.map((column, index) => isParameter(column, index + 2));
  return `
select p.active_build, (${progressText(schema)}), ${columnList('t', table)}${withSizes ? `, ${sizes.join(` || ',' || `)}` : ''}
  from ${qualified(schema, 'projections')} p
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
select p.active_build, case when coalesce(r.kappa_line, 1) = 1 then (${progressText(schema)}) end, ${columnList('r', table)}
  from ${qualified(schema, 'projections')} p
  left join lateral (
       select s.*, row_number() over () as kappa_line
         from (select ${columnList('t', table)}
                 from ${qualified(schema, live.tableName)} t
                ${conditions.length > 0 ? `where ${conditions.join(' and ')}` : ''}
                order by ${order}
                limit ${parameters.add(query.limit + 1, 'bigint')}) s) r on true
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

function isParameter(column: ColumnDefinition, parameter: number): string {
  return `t.${quoteIdentifier(column.name)} = $${parameter}::${comparable(column.type)}`;
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
  readonly values: (string | number | null)[];

  constructor(projection: string) {
    this.values = [projection];
  }

  add(value: string | number, type: string): string {
    this.values.push(value);
    return `$${this.values.length}::${type}`;
  }
}
