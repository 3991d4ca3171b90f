import { KappaError } from '../../kernel/errors.js';
import type { Row, RowKey } from './projection.js';
import { sameShape } from './same-shape.js';
import type { ColumnDefinition, RowCodec, TableDefinition } from './table.js';
import { arrayCodec } from './values/array.js';
import { jsonbCodec } from './values/json.js';
import { bigintCodec, doubleCodec, integerCodec, numericCodec } from './values/numeric.js';
import { booleanCodec, byteaCodec, enumCodec, stringCodec, uuidCodec } from './values/scalar.js';
import { dateCodec, dateObjectCodec, timeCodec, timestampCodec, timestamptzCodec } from './values/time.js';
import type { ValueCodec } from './values/value-codec.js';

interface CompiledColumn extends ValueCodec {
  readonly property: string;
  readonly name: string;
  readonly type: string;
  readonly nullable: boolean;
}

/** Nothing in a key's text contains it: PostgreSQL keeps no NUL in text. */
const KEY_SEPARATOR = '\0';
const ROW_BYTES = 64;

/** A codec compiled once per table: one loop over columns, no closure and no regular expression a row. */
export function createRowCodec(table: TableDefinition): RowCodec {
  const columns = table.columns.map(compile);
  const keys = table.key.map((property) => columns.find((column) => column.property === property) as CompiledColumn);
  const onlyKey = keys.length === 1 ? (keys[0] ?? null) : null;
  const properties = new Set(columns.map((column) => column.property));
  const newRow = sameShape([...properties]);

  const keyPart = (column: CompiledColumn, key: RowKey): string => {
    const given = key[column.property];
    const value = given === null || given === undefined ? undefined : column.canonical(given);
    if (value === undefined)
      throw badValue(
        'KAPPA_BAD_KEY',
        column,
        given,
        'The key function beside the handler gives it; by default it is the id of the stream.',
      );
    return column.encode(value);
  };

  return Object.freeze({
    table,

    keyText(key: RowKey): string {
      if (onlyKey !== null) return keyPart(onlyKey, key);
      let text = '';
      for (const column of keys) text += keyPart(column, key) + KEY_SEPARATOR;
      return text;
    },

    keyTexts: (key: RowKey) => keys.map((column) => keyPart(column, key)),

    canonical(row: Row): Row {
      const result = newRow();
      let found = 0;
      for (const column of columns) {
        const given = row[column.property];
        if (given !== undefined) found += 1;
        if (given === null || given === undefined) {
          if (!column.nullable) throw badValue('KAPPA_BAD_ROW', column, given, 'A fold gives every column.');
          continue;
        }
        const value = column.canonical(given);
        if (value === undefined) throw badValue('KAPPA_BAD_ROW', column, given, 'Correct what the fold returns.');
        result[column.property] = value;
      }
      if (Object.keys(row).length > found) refuseUnknown(row, properties);
      return result;
    },

    encode(row: Row): readonly (string | null)[] {
      const texts = new Array<string | null>(columns.length);
      for (let i = 0; i < columns.length; i += 1) {
        const column = columns[i] as CompiledColumn;
        const value = row[column.property];
        texts[i] = value === null || value === undefined ? null : column.encode(value);
      }
      return texts;
    },

    decode(texts: readonly (string | null)[]): Row {
      const row = newRow();
      for (let i = 0; i < columns.length; i += 1) {
        const column = columns[i] as CompiledColumn;
        const text = texts[i];
        if (text !== null && text !== undefined) row[column.property] = column.decode(text);
      }
      return row;
    },

    bytesOf(row: Row): number {
      let bytes = ROW_BYTES;
      for (const column of columns) {
        const value = row[column.property];
        bytes += 8 + (value === null || value === undefined ? 0 : column.bytes(value));
      }
      return bytes;
    },
  });
}

function compile(column: ColumnDefinition): CompiledColumn {
  const { property, name, type, nullable } = column;
  return { property, name, type, nullable, ...valueCodec(column) };
}

/** The codec of a column's type, as table-definition.ts spells it. */
export function valueCodec(column: Pick<ColumnDefinition, 'type' | 'value' | 'oneOf'>): ValueCodec {
  if (column.type.endsWith('[]'))
    return arrayCodec(valueCodec({ type: column.type.slice(0, -2), value: 'string', oneOf: null }));
  if (column.oneOf !== null) return enumCodec(column.oneOf);
  const [base = '', sizes = ''] = column.type.split(/[()]/);
  const [size = null, scale = null] = sizes === '' ? [] : sizes.split(',').map(Number);
  switch (base) {
    case 'text':
    case 'character varying':
      return stringCodec(size);
    case 'uuid':
      return uuidCodec;
    case 'smallint':
      return integerCodec(-32_768, 32_767);
    case 'integer':
      return integerCodec(-2_147_483_648, 2_147_483_647);
    case 'bigint':
      return bigintCodec(column.value === 'bigint' ? 'bigint' : 'string');
    case 'numeric':
      return numericCodec(size, scale);
    case 'double precision':
      return doubleCodec;
    case 'boolean':
      return booleanCodec;
    case 'date':
      return dateCodec;
    case 'time without time zone':
      return timeCodec;
    case 'timestamp without time zone':
      return timestampCodec;
    case 'timestamp with time zone':
      return column.value === 'date' ? dateObjectCodec : timestamptzCodec;
    case 'jsonb':
      return jsonbCodec;
    case 'bytea':
      return byteaCodec;
    default:
      throw new KappaError('KAPPA_BAD_TABLE', `no codec for the column type ${column.type}`, {
        facts: { type: column.type },
        nextStep: 'Use a supported column type.',
      });
  }
}

function refuseUnknown(row: Row, known: ReadonlySet<string>): void {
  const unknown = Object.keys(row).find((property) => row[property] !== undefined && !known.has(property));
  if (unknown === undefined) return;
  throw new KappaError('KAPPA_BAD_ROW', `the row has ${JSON.stringify(unknown)}, which is no column`, {
    facts: { column: unknown, columns: [...known] },
    nextStep: 'Leave it out, or declare it in the entity and raise the version.',
  });
}

function badValue(
  code: 'KAPPA_BAD_ROW' | 'KAPPA_BAD_KEY',
  column: CompiledColumn,
  value: unknown,
  nextStep: string,
): KappaError {
  const what = value === null || value === undefined ? `is ${String(value)}` : `cannot be ${shown(value)}`;
  return new KappaError(code, `column ${column.property} (${column.type}) ${what}: expected ${column.expects}`, {
    facts: { column: column.property, type: column.type, value: shown(value), expected: column.expects },
    nextStep,
  });
}

const SHOWN_CHARACTERS = 80;

/** A value for a message: short, and with its type where that is the mistake. */
function shown(value: unknown): string {
  if (typeof value === 'string')
    return JSON.stringify(value.length > SHOWN_CHARACTERS ? `${value.slice(0, SHOWN_CHARACTERS)}…` : value);
  if (typeof value === 'object' && value !== null)
    return Array.isArray(value) ? 'an array' : `an object (${value.constructor?.name ?? 'null prototype'})`;
  return `the ${typeof value} ${String(value)}`;
}
