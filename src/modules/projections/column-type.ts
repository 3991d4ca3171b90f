import type { ColumnOptions } from 'typeorm';
import { quoteLiteral } from '../../database/identifiers.js';
import type { ColumnDefinition, ColumnValue } from './table.js';

/** What becomes of a column's declaration: a type of ours, or the words that refuse it. */
export type ColumnTypeResult = Pick<ColumnDefinition, 'type' | 'value' | 'oneOf'> | { readonly refused: string };

const SPELLINGS: Readonly<Record<string, string>> = {
  varchar: 'character varying',
  int: 'integer',
  int2: 'smallint',
  int4: 'integer',
  int8: 'bigint',
  decimal: 'numeric',
  dec: 'numeric',
  bool: 'boolean',
  float: 'double precision',
  float8: 'double precision',
  timestamptz: 'timestamp with time zone',
  timestamp: 'timestamp without time zone',
  time: 'time without time zone',
};

const INSTEAD: Readonly<Record<string, string>> = {
  json: 'use jsonb: json has no equality',
  'simple-json': 'use jsonb',
  'simple-array': "use { type: 'text', array: true }",
  'simple-enum': "use { type: 'enum' }",
  real: "use 'double precision'",
  float4: "use 'double precision'",
  money: 'use numeric with precision and scale',
  char: 'use varchar or text: char pads with blanks',
  character: 'use varchar or text: char pads with blanks',
  timetz: 'use timestamptz',
  'time with time zone': 'use timestamptz',
  interval: 'use integer seconds or text',
  citext: 'use text, in lower case',
};

/** By PostgreSQL's spelling: the property types that can hold the column's values without losing any, and what they become. */
const VALUES: Readonly<
  Record<
    string,
    { readonly allowed: Readonly<Record<string, ColumnValue>>; readonly otherwise: ColumnValue; readonly why: string }
  >
> = {
  text: { allowed: { String: 'string' }, otherwise: 'string', why: 'declare it as string' },
  'character varying': { allowed: { String: 'string' }, otherwise: 'string', why: 'declare it as string' },
  uuid: { allowed: { String: 'string' }, otherwise: 'string', why: 'declare it as string' },
  smallint: { allowed: { Number: 'number' }, otherwise: 'number', why: 'declare it as number' },
  integer: { allowed: { Number: 'number' }, otherwise: 'number', why: 'declare it as number' },
  // A JS number would lose digits beyond 2^53, and TypeORM's own Repository gives int8 and numeric as text.
  bigint: {
    allowed: { String: 'string', BigInt: 'bigint' },
    otherwise: 'string',
    why: 'declare it as string or bigint: a JS number loses digits',
  },
  numeric: { allowed: { String: 'string' }, otherwise: 'string', why: 'declare it as string: a JS number loses cents' },
  'double precision': { allowed: { Number: 'number' }, otherwise: 'number', why: 'declare it as number' },
  boolean: { allowed: { Boolean: 'boolean' }, otherwise: 'boolean', why: 'declare it as boolean' },
  date: { allowed: { String: 'string' }, otherwise: 'string', why: 'declare it as string: a date has no time zone' },
  'time without time zone': { allowed: { String: 'string' }, otherwise: 'string', why: 'declare it as string' },
  'timestamp with time zone': {
    allowed: { String: 'string', Date: 'date' },
    otherwise: 'string',
    why: 'declare it as string (keeps microseconds) or Date',
  },
  'timestamp without time zone': {
    allowed: { String: 'string' },
    otherwise: 'string',
    why: 'declare it as string, or use timestamptz: a Date is a moment, not a local time',
  },
  jsonb: { allowed: {}, otherwise: 'json', why: '' },
  bytea: { allowed: { Buffer: 'bytes', Uint8Array: 'bytes' }, otherwise: 'bytes', why: 'declare it as Buffer' },
};

const ARRAY_ITEMS: readonly string[] = Object.keys(VALUES).filter((type) => type !== 'jsonb' && type !== 'bytea');

/**
 * The PostgreSQL type of a declared column, and how its values look in TypeScript. Types whose values would change on the way
 * (floats for money, padded or rounded ones) are refused with what to write instead. Where the property's type is not known
 * (SWC writes `Object` for `Date | null`), times and bigint are text; the other form is refused for nullable columns, so that an
 * entity means the same whatever compiles it.
 * `declared` is the property's own type as `emitDecoratorMetadata` has it; null where it is not known.
 */
export function columnType(options: ColumnOptions, declared: string | null): ColumnTypeResult {
  const written = typeof options.type === 'function' ? implied(options.type) : (options.type ?? null);
  if (written === null) return { refused: 'has no type: name one in @Column' };
  if (written === 'double by default') {
    return {
      refused:
        "is a number without an SQL type: name one ('integer', 'double precision'; numeric and bigint are declared as string)",
    };
  }
  const instead = INSTEAD[written];
  if (instead !== undefined) return { refused: `has type ${written}: ${instead}` };
  if (options.transformer !== undefined) return { refused: 'has a transformer: let the fold return what the column holds' };
  if (options.collation !== undefined) return { refused: 'has a collation: keys are sorted by bytes, others by the database' };
  if (written === 'enum') return enumType(options, declared);

  const base = SPELLINGS[written] ?? written;
  const values = VALUES[base];
  if (!values) return { refused: `has type ${written}, which is not supported: use one of ${Object.keys(VALUES).join(', ')}` };
  const sized = sizedType(base, options);
  if (typeof sized !== 'string') return sized;
  if (options.array === true) {
    if (!ARRAY_ITEMS.includes(base)) return { refused: `is an array of ${base}: use jsonb` };
    return { type: `${sized}[]`, value: 'array', oneOf: null };
  }
  const value = declared === null || declared === 'Object' || base === 'jsonb' ? values.otherwise : values.allowed[declared];
  if (value === undefined) return { refused: `is ${base} in a property of type ${declared}: ${values.why}` };
  if (options.nullable === true && value !== values.otherwise) {
    return {
      refused: `is nullable ${base} in a property of type ${declared}: declare it as string | null, for not every compiler (SWC) tells the type of ${declared} | null`,
    };
  }
  return { type: sized, value, oneOf: null };
}

/** SQL of a declared default, quoted by us; a function's text is SQL already. */
export function columnDefault(options: ColumnOptions): string | null {
  const value = options.default as unknown;
  if (value === undefined || value === null) return null;
  if (typeof value === 'function') return String((value as () => unknown)());
  if (typeof value === 'number' || typeof value === 'boolean' || typeof value === 'bigint') return String(value);
  if (typeof value === 'string') return quoteLiteral(value).trimStart();
  if (Array.isArray(value) && options.array === true)
    return quoteLiteral(`{${value.map((item) => JSON.stringify(String(item))).join(',')}}`).trimStart();
  return quoteLiteral(JSON.stringify(value)).trimStart();
}

/** A type as TypeORM itself implies it from the property; numbers are not guessed. */
function implied(constructor: (...args: never[]) => unknown): string | null {
  const name = constructor.name;
  if (name === 'String') return 'varchar';
  if (name === 'Boolean') return 'boolean';
  if (name === 'Number') return 'double by default';
  if (name === 'Date') return 'timestamp';
  return null;
}

function enumType(options: ColumnOptions, declared: string | null): ColumnTypeResult {
  if (options.array === true) return { refused: 'is an array of enum: use text with array' };
  const values = Array.isArray(options.enum) ? (options.enum as unknown[]) : Object.values(options.enum ?? {});
  if (
    values.length === 0 ||
    values.some((value) => typeof value !== 'string') ||
    (declared !== 'String' && declared !== 'Object' && declared !== null)
  ) {
    return { refused: 'is an enum whose values are not all text: give string values' };
  }
  return { type: 'text', value: 'string', oneOf: values as string[] };
}

function sizedType(base: string, options: ColumnOptions): string | { readonly refused: string } {
  const length = options.length === undefined || options.length === '' ? null : Number(options.length);
  const precision = options.precision ?? null;
  if (base === 'character varying') {
    if (length === null) return base;
    if (!Number.isInteger(length) || length < 1 || length > 10_485_760)
      return { refused: `has length ${options.length}: give 1 to 10485760` };
    return `${base}(${length})`;
  }
  if (base === 'numeric') {
    if (precision === null) return options.scale === undefined ? base : { refused: 'has a scale without precision: give both' };
    const scale = options.scale ?? 0;
    if (!Number.isInteger(precision) || precision < 1 || precision > 1000)
      return { refused: `has precision ${precision}: give 1 to 1000` };
    if (!Number.isInteger(scale) || scale < 0 || scale > precision)
      return { refused: `has scale ${scale}: give 0 to ${precision}` };
    return `${base}(${precision},${scale})`;
  }
  if ((base.startsWith('time') || base.startsWith('timestamp')) && precision !== null && precision !== 6) {
    return { refused: `has precision ${precision}, which rounds: leave it out, microseconds are kept` };
  }
  return base;
}
