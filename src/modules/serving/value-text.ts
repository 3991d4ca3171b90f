import { KappaError } from '../../kernel/errors.js';
import { valueCodec } from '../projections/row-codec.js';
import type { ColumnDefinition } from '../projections/table.js';
import type { ValueCodec } from '../projections/values/value-codec.js';

/** PostgreSQL's text of a value that a caller gave for a column. @throws `code`, naming column, value and what is expected. */
export function valueText(
  projection: string,
  column: ColumnDefinition,
  value: unknown,
  code: 'KAPPA_BAD_QUERY' | 'KAPPA_BAD_KEY',
  codec: ValueCodec = valueCodec(column),
): string {
  const canonical = value === null || value === undefined ? undefined : codec.canonical(value);
  if (canonical !== undefined) return codec.encode(canonical);
  throw new KappaError(code, `${projection}: ${column.property} cannot be ${shown(value)}`, {
    facts: { projection, field: column.property, value: shown(value), expected: codec.expects },
    nextStep: `Expected is ${codec.expects}.`,
  });
}

function shown(value: unknown): string {
  const plain = typeof value === 'bigint' ? `${value}n` : (JSON.stringify(value) ?? String(value));
  return plain.length > 80 ? `${plain.slice(0, 79)}…` : plain;
}
