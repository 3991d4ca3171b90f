import { KappaError } from '../../kernel/errors.js';
import { tenantPart } from '../../kernel/names.js';
import type { ColumnDefinition, TableDefinition } from '../projections/table.js';
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

/** The key's columns as conditions, the tenant's among them. @throws KAPPA_BAD_KEY naming the column. */
export function keyConditions(
  projection: string,
  table: TableDefinition,
  tenant: Equality | null,
  key: unknown,
): readonly Equality[] {
  const columns = table.columns.filter((column) => column.isKey && column !== tenant?.column);
  const parts = partsOf(projection, columns, tenant, key);
  const own = columns.map((column): Equality => ({
    column,
    text: valueText(projection, column, parts[column.property], 'KAPPA_BAD_KEY'),
  }));
  return tenant === null ? own : [tenant, ...own];
}

function partsOf(
  projection: string,
  columns: readonly ColumnDefinition[],
  tenant: Equality | null,
  key: unknown,
): Readonly<Record<string, unknown>> {
  const names = columns.map(({ property }) => property);
  if (typeof key !== 'object' || key === null) {
    const [only] = columns;
    if (only && columns.length === 1) return { [only.property]: key };
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
