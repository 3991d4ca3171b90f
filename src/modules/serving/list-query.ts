import { didYouMean } from '../../kernel/did-you-mean.js';
import { KappaError } from '../../kernel/errors.js';
import type { ColumnDefinition, TableDefinition } from '../projections/table.js';
import { decodeCursor, type CursorScope } from './cursor.js';
import type { PageQuery, SortTerm } from './read-statements.js';
import type { Equality } from './read-statements.js';
import type { ListOptions } from './reader.js';
import { valueText } from './value-text.js';

const DEFAULT_LIMIT = 50;
const MAX_LIMIT = 1_000;
/** Values of these have no order, or none that a cursor could carry. */
const OPAQUE = new Set(['json', 'bytes', 'array']);

/** What of {@link ListOptions} a query is made of; names and values come from outside and are trusted in nothing. */
export type ListInput = Pick<ListOptions<Readonly<Record<string, unknown>>>, 'where' | 'sort' | 'limit' | 'cursor'>;

export interface CheckedList {
  readonly query: PageQuery;
  readonly scope: CursorScope;
}

/**
 * Checks filter, sort, limit and cursor against the columns there are, and puts the tenant and the key where they belong.
 * @throws KAPPA_BAD_QUERY naming the field or value; KAPPA_BAD_CURSOR
 */
export function checkList(projection: string, table: TableDefinition, tenant: Equality | null, input: ListInput): CheckedList {
  const where = Object.entries(input.where ?? {}).map(([field, value]) => {
    const column = scalarColumn(projection, table, field, 'filter');
    if (column === tenant?.column)
      throw badQuery(projection, field, 'names the tenant', 'Give the tenant as an option of the read.');
    return { column, text: value === null ? null : valueText(projection, column, value, 'KAPPA_BAD_QUERY') };
  });
  const sort = withKey(
    (input.sort ?? []).map(({ by, direction }) => ({
      column: scalarColumn(projection, table, by, 'sort'),
      direction: checkedDirection(projection, by, direction),
    })),
    table,
  );
  const scope: CursorScope = {
    projection,
    tenant: tenant?.text ?? null,
    where: where.map(({ column, text }) => [column.name, text]),
    sort: sort.map(({ column, direction }) => [column.name, direction]),
  };
  const after = input.cursor === undefined ? null : decodeCursor(scope, input.cursor);
  return {
    query: { where: tenant === null ? where : [tenant, ...where], sort, limit: checkedLimit(projection, input.limit), after },
    scope,
  };
}

/** The key is appended in the last term's direction, so that one index can serve the whole order. */
function withKey(sort: readonly SortTerm[], table: TableDefinition): readonly SortTerm[] {
  const seen = new Set<ColumnDefinition>();
  const unique = sort.filter(({ column }) => !seen.has(column) && seen.add(column));
  const direction = unique.at(-1)?.direction ?? 'asc';
  return [
    ...unique,
    ...table.columns.filter((column) => column.isKey && !seen.has(column)).map((column): SortTerm => ({ column, direction })),
  ];
}

function scalarColumn(projection: string, table: TableDefinition, field: string, use: 'filter' | 'sort'): ColumnDefinition {
  const column = table.columns.find(({ property }) => property === field);
  if (!column) {
    const known = table.columns.map(({ property }) => property);
    throw badQuery(projection, field, `is no field${didYouMean(field, known)}`, 'Use one of the fields there are.', known);
  }
  if (OPAQUE.has(column.value))
    throw badQuery(
      projection,
      field,
      `is ${column.type}; it cannot be used to ${use}`,
      'Use another field, or a column made for it.',
    );
  return column;
}

function checkedDirection(projection: string, field: string, direction: unknown): 'asc' | 'desc' {
  if (direction === undefined || direction === 'asc') return 'asc';
  if (direction === 'desc') return 'desc';
  throw badQuery(projection, field, `has the direction ${JSON.stringify(direction)}`, "Use 'asc' or 'desc'.");
}

function checkedLimit(projection: string, limit: number | undefined): number {
  if (limit === undefined) return DEFAULT_LIMIT;
  if (Number.isInteger(limit) && limit >= 1 && limit <= MAX_LIMIT) return limit;
  throw badQuery(projection, 'limit', `is ${JSON.stringify(limit)}`, `Give a whole number from 1 to ${MAX_LIMIT}.`);
}

/** @internal */
export function badQuery(
  projection: string,
  field: string,
  what: string,
  nextStep: string,
  known?: readonly string[],
): KappaError {
  return new KappaError('KAPPA_BAD_QUERY', `${projection}: ${field} ${what}`, {
    facts: { projection, field, ...(known ? { known } : {}) },
    nextStep,
  });
}
