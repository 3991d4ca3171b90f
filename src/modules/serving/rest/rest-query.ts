import { didYouMean } from '../../../kernel/did-you-mean.js';
import { KappaError } from '../../../kernel/errors.js';
import { parsePosition, type Position } from '../../../kernel/position.js';
import type { ColumnDefinition, TableDefinition } from '../../projections/table.js';
import { badQuery, type ListInput } from '../list-query.js';

/** The parameters that are not fields. A field of the same name cannot be filtered by over HTTP. */
export const RESERVED = ['sort', 'limit', 'cursor', 'at'] as const;

/** A query string as adapters parse it: a text, or several when a name is given more than once. */
export type QueryParameters = Readonly<Record<string, unknown>>;

export interface ParsedList {
  readonly input: ListInput;
  readonly at: Position | null;
}

/** `?paid=12.50&sort=-paid,id&limit=20&cursor=…&at=…` @throws KAPPA_BAD_QUERY, KAPPA_BAD_POSITION */
export function parseList(projection: string, table: TableDefinition, query: QueryParameters): ParsedList {
  const { sort, limit, cursor } = query;
  const where = Object.entries(query)
    .filter(([name]) => !RESERVED.some((reserved) => reserved === name))
    .map(([name, value]) => [name, filterValue(projection, table, name, value)] as const);
  return {
    input: {
      where: Object.fromEntries(where),
      ...(sort === undefined ? {} : { sort: parseSort(textOf(projection, 'sort', sort)) }),
      ...(limit === undefined ? {} : { limit: parseLimit(projection, textOf(projection, 'limit', limit)) }),
      ...(cursor === undefined ? {} : { cursor: textOf(projection, 'cursor', cursor) }),
    },
    at: parseAt(projection, query),
  };
}

/** @throws KAPPA_BAD_POSITION */
function parseAt(projection: string, query: QueryParameters): Position | null {
  return query['at'] === undefined ? null : parsePosition(textOf(projection, 'at', query['at']));
}

/** Of a single row, which has no other parameter. @throws KAPPA_BAD_QUERY, KAPPA_BAD_POSITION */
export function parseOnlyAt(projection: string, query: QueryParameters): Position | null {
  const other = Object.keys(query).find((name) => name !== 'at');
  if (other !== undefined) throw badQuery(projection, other, 'is no parameter of a single row', 'Only at=<position> is.');
  return parseAt(projection, query);
}

/**
 * Reads the key of a row from the last segment of a path as it was sent: the value itself, or the parts of a composite key in the
 * order of the primary columns, separated by commas, each percent-encoded by itself: `/api/sales/mug,2024-06-01`. What it returns
 * throws KAPPA_BAD_KEY.
 */
export function keyParser(
  projection: string,
  table: TableDefinition,
  tenant: string | null,
): (segment: string) => Readonly<Record<string, unknown>> {
  const columns = table.columns.filter(({ isKey, property }) => isKey && property !== tenant);
  return (segment) => {
    const raw = columns.length === 1 ? [segment] : segment.split(',');
    if (raw.length !== columns.length)
      throw badKey(projection, columns, `has ${columns.length} parts, ${raw.length} were given`);
    const key: Record<string, unknown> = {};
    for (const [index, column] of columns.entries()) {
      const text = decoded(raw[index] ?? '');
      if (text === null) throw badKey(projection, columns, 'is not percent-encoded text');
      key[column.property] = valueOf(column, text);
    }
    return key;
  };
}

/** A sort term is a field, descending with a minus before it. */
function parseSort(text: string): { by: string; direction: 'asc' | 'desc' }[] {
  return text
    .split(',')
    .filter((term) => term !== '')
    .map((term) => (term.startsWith('-') ? { by: term.slice(1), direction: 'desc' } : { by: term, direction: 'asc' }));
}

function parseLimit(projection: string, text: string): number {
  if (/^\d{1,6}$/.test(text)) return Number(text);
  throw badQuery(projection, 'limit', `is ${JSON.stringify(text)}`, 'Give a whole number from 1 to 1000.');
}

function filterValue(projection: string, table: TableDefinition, name: string, value: unknown): unknown {
  const column = table.columns.find(({ property }) => property === name);
  if (column) return valueOf(column, textOf(projection, name, value));
  const known = [...RESERVED, ...table.columns.map(({ property }) => property)];
  throw badQuery(projection, name, `is no field or parameter${didYouMean(name, known)}`, 'Use one of those there are.', known);
}

/** A text as the type that the column's values have; what does not parse goes on as text and is refused with the column's name. */
function valueOf(column: ColumnDefinition, text: string): unknown {
  switch (column.value) {
    case 'number':
      return text.trim() !== '' && Number.isFinite(Number(text)) ? Number(text) : text;
    case 'bigint':
      return /^-?\d{1,20}$/.test(text) ? BigInt(text) : text;
    case 'boolean':
      return text === 'true' ? true : text === 'false' ? false : text;
    case 'date':
      return Number.isNaN(Date.parse(text)) ? text : new Date(text);
    default:
      return text;
  }
}

function textOf(projection: string, name: string, value: unknown): string {
  if (typeof value === 'string') return value;
  throw badQuery(projection, name, 'is given more than once', 'Give each parameter once.');
}

function decoded(text: string): string | null {
  if (!text.includes('%')) return text;
  try {
    return decodeURIComponent(text);
  } catch {
    return null;
  }
}

function badKey(projection: string, columns: readonly ColumnDefinition[], what: string): KappaError {
  const names = columns.map(({ property }) => property).join(',');
  return new KappaError('KAPPA_BAD_KEY', `${projection}: the key ${names} ${what}`, {
    facts: { projection, key: columns.map(({ property }) => property) },
    nextStep: 'Separate the parts by commas, each percent-encoded.',
  });
}
