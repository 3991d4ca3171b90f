import { KappaError } from '../../kernel/errors.js';
import { tenantPart } from '../../kernel/names.js';
import { valueCodec } from '../projections/row-codec.js';
import type { ColumnDefinition, TableDefinition } from '../projections/table.js';
import type { ValueCodec } from '../projections/values/value-codec.js';
import type { Equality } from './read-statements.js';
import { valueText } from './value-text.js';

/**
 * Whose rows are read, as a condition; null for a projection without tenants.
 * @throws KAPPA_BAD_TENANT when one is missing, or given to a projection that has none.
 */
export function tenantCondition(
  projection: string,
  column: ColumnDefinition | null,
  tenant: string | null | undefined,
): Equality | null {
  if (column === null) {
    if (tenant === undefined || tenant === null) return null;
    throw badTenant(
      projection,
      'has no tenant column',
      'Leave the tenant out, or declare the column in projection({ tenant }).',
    );
  }
  if (tenant === undefined)
    throw badTenant(projection, 'is kept by tenant', 'Give the tenant of the caller, or null for rows of no tenant.');
  return { column, text: tenantPart(tenant) };
}

export interface KeyColumn {
  readonly column: ColumnDefinition;
  readonly codec: ValueCodec;
}

/** The columns that a row is found by: the tenant's first, where there is one. */
export function keyColumns(table: TableDefinition, tenant: ColumnDefinition | null): readonly KeyColumn[] {
  const own = table.columns.filter((column) => column.isKey && column !== tenant);
  return (tenant === null ? own : [tenant, ...own]).map((column) => ({ column, codec: valueCodec(column) }));
}

/** PostgreSQL's text of each of {@link keyColumns}. @throws KAPPA_BAD_KEY naming the column. */
export function keyTexts(
  projection: string,
  columns: readonly KeyColumn[],
  tenant: Equality | null,
  key: unknown,
): readonly string[] {
  const own = tenant === null ? columns : columns.slice(1);
  const parts = partsOf(projection, own, tenant, key);
  const texts = own.map(({ column, codec }) => valueText(projection, column, parts[column.property], 'KAPPA_BAD_KEY', codec));
  return tenant === null ? texts : [tenant.text ?? '', ...texts];
}

function partsOf(
  projection: string,
  columns: readonly KeyColumn[],
  tenant: Equality | null,
  key: unknown,
): Readonly<Record<string, unknown>> {
  const names = columns.map(({ column }) => column.property);
  if (typeof key !== 'object' || key === null) {
    const [only] = columns;
    if (only && columns.length === 1) return { [only.column.property]: key };
    throw badKey(projection, `the key is ${names.join(', ')}`, `Give an object with ${names.join(', ')}.`);
  }
  const parts = key as Readonly<Record<string, unknown>>;
  const unknown = Object.keys(parts).find((name) => !names.includes(name) && name !== tenant?.column.property);
  if (unknown !== undefined) throw badKey(projection, `${unknown} is no part of the key`, `The key is ${names.join(', ')}.`);
  const named = tenant === null ? undefined : parts[tenant.column.property];
  if (named !== undefined && named !== tenant?.text)
    throw badKey(
      projection,
      `${tenant?.column.property ?? ''} names another tenant than the read does`,
      'Leave it out of the key.',
    );
  return parts;
}

function badKey(projection: string, what: string, nextStep: string): KappaError {
  return new KappaError('KAPPA_BAD_KEY', `${projection}: ${what}`, { facts: { projection }, nextStep });
}

function badTenant(projection: string, what: string, nextStep: string): KappaError {
  return new KappaError('KAPPA_BAD_TENANT', `projection ${projection} ${what}`, { facts: { projection }, nextStep });
}
