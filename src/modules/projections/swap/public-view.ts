import type { Database, Queryable } from '../../../database/database.js';
import { qualified, quoteIdentifier } from '../../../database/identifiers.js';
import { KappaError } from '../../../kernel/errors.js';
import { dependantsOf } from './view-dependants.js';
import { copyGrants, recordView, restoreView } from './view-belongings.js';

/** A column as the catalogue has it: what must stay equal for a view to be replaced in place. */
export interface RelationColumn {
  readonly name: string;
  readonly type: string;
  readonly collation: string | null;
}

/** The view that bears a projection's name and shows its live build. */
export interface PublicView {
  readonly oid: number;
  readonly owner: string;
  readonly columns: readonly RelationColumn[];
  /** Storage parameters, `security_invoker=true`: replacing a view would drop those that are not named again. */
  readonly options: readonly string[];
}

/** Where views and builds stand. */
export type Schemas = Pick<Database, 'schema' | 'viewSchema'>;

const FIND_RELATION = `
  select c.oid::int8 as oid, c.relkind as kind, pg_get_userbyid(c.relowner) as owner, coalesce(c.reloptions, '{}') as options
  from pg_class c
  where c.oid = to_regclass($1)`;

const READS_A_BUILD = (schema: string): string => `
  select 1
  from pg_rewrite r
  join pg_depend d on d.classid = 'pg_rewrite'::regclass and d.objid = r.oid and d.refclassid = 'pg_class'::regclass
  join pg_class c on c.oid = d.refobjid
  join ${schema}.builds b on b.table_name = c.relname and b.projection = $2
  where r.ev_class = $1::int8::oid and c.relnamespace = to_regnamespace($3)
  limit 1`;

const COLUMNS = `
  select a.attname as name, format_type(a.atttypid, a.atttypmod) as type, nullif(a.attcollation, 0)::regcollation::text as collation
  from pg_attribute a
  where a.attrelid = $1::int8::oid and a.attnum > 0 and not a.attisdropped
  order by a.attnum`;

const HAS_CURRENT_USER = 'select current_user::text = $1 as same';

/**
 * The public view of a projection; null where none stands yet.
 * @throws KAPPA_VIEW_NAME_TAKEN when something of another stands under its name.
 */
export async function findView(on: Queryable, schemas: Schemas, projection: string): Promise<PublicView | null> {
  const { rows } = await on.query<{ oid: number; kind: string; owner: string; options: string[] }>(FIND_RELATION, [
    viewName(schemas, projection),
  ]);
  const [found] = rows;
  if (!found) return null;
  if (found.kind !== 'v') throw taken(schemas, projection, KINDS[found.kind] ?? 'relation');
  const { rows: ours } = await on.query(READS_A_BUILD(quoteIdentifier(schemas.schema)), [
    found.oid,
    projection,
    quoteIdentifier(schemas.schema),
  ]);
  if (ours.length === 0) throw taken(schemas, projection, 'view');
  return { oid: found.oid, owner: found.owner, options: found.options, columns: await columnsOf(on, found.oid) };
}

/**
 * Locks the view alone against readers. `lock table` would lock the tables below it too, and with them our own readers and the
 * runner; naming its owner again changes nothing and takes the same lock on the view only.
 */
export async function lockView(on: Queryable, schemas: Schemas, projection: string, view: PublicView): Promise<void> {
  await on.query(`alter view ${viewName(schemas, projection)} owner to ${quoteIdentifier(view.owner)}`);
}

/** What a swap needs to know before it locks anything. */
export interface PreparedView {
  /** Null where none stands yet. */
  readonly view: PublicView | null;
  readonly table: string;
  readonly columns: readonly RelationColumn[];
}

/**
 * Looks at view and tables, and grants on the new table what its readers need, all that can be done before readers are locked out.
 * @throws KAPPA_VIEW_NAME_TAKEN
 */
export async function prepareView(
  on: Queryable,
  schemas: Schemas,
  projection: string,
  tables: { readonly from: string | null; readonly to: string },
): Promise<PreparedView> {
  const table = qualified(schemas.schema, tables.to);
  const view = await findView(on, schemas, projection);
  const columns = await columnsOf(on, await oidOf(on, table));
  if (tables.from !== null) await copyGrants(on, qualified(schemas.schema, tables.from), table);
  if (view !== null && !(await isCurrentUser(on, view.owner))) {
    await on.query(`grant select on ${table} to ${quoteIdentifier(view.owner)}`);
  }
  return { view, table, columns };
}

/**
 * Makes the view show a build's table, in the transaction of the swap; it is locked against readers from then on.
 *
 * Same or appended columns: `create or replace view`, which keeps all that stands on it. Otherwise the view is dropped and
 * created again with its owner, grants, comments and options, unless objects of others depend on it.
 * @throws KAPPA_VIEW_HAS_DEPENDANTS naming them
 */
export async function showBuild(
  on: Queryable,
  schemas: Schemas,
  projection: string,
  { view, table, columns }: PreparedView,
): Promise<void> {
  const name = viewName(schemas, projection);
  if (view === null) {
    await on.query(createView('create view', name, table, columns, []));
    return;
  }
  const changes = columnChanges(view.columns, columns);
  if (changes.length === 0) {
    await on.query(createView('create or replace view', name, table, inOrderOf(view.columns, columns), view.options));
    return;
  }
  await lockView(on, schemas, projection, view);
  const foreign = await dependantsOf(on, view.oid);
  if (foreign.length > 0) throw hasDependants(schemas, projection, changes, foreign);
  const record = await recordView(on, view);
  await on.query(`drop view ${name}`);
  await on.query(createView('create view', name, table, columns, view.options));
  await restoreView(on, name, await oidOf(on, name), record);
}

/** What makes it impossible to replace a view in place, in words; columns that are only added are no change. */
export function columnChanges(
  before: readonly Omit<RelationColumn, 'collation'>[],
  now: readonly Omit<RelationColumn, 'collation'>[],
): readonly string[] {
  const types = new Map(now.map((column) => [column.name, column]));
  return before.flatMap((column) => {
    const after = types.get(column.name);
    if (!after) return [`column ${column.name} removed`];
    if (after.type !== column.type) return [`column ${column.name}: ${column.type} → ${after.type}`];
    return collationOf(after) === collationOf(column) ? [] : [`column ${column.name}: another collation`];
  });
}

/** `"public"."fines"` */
export function viewName(schemas: Schemas, projection: string): string {
  return qualified(schemas.viewSchema, projection);
}

function collationOf(column: object): unknown {
  return 'collation' in column ? column.collation : undefined;
}

/** The view's own columns first and in its order, as `create or replace view` wants them; new ones after. */
function inOrderOf(view: readonly RelationColumn[], table: readonly RelationColumn[]): readonly RelationColumn[] {
  const shown = new Set(view.map((column) => column.name));
  return [...view, ...table.filter((column) => !shown.has(column.name))];
}

function createView(
  create: string,
  name: string,
  table: string,
  columns: readonly RelationColumn[],
  options: readonly string[],
): string {
  const list = columns.map((column) => quoteIdentifier(column.name)).join(', ');
  return `${create} ${name} (${list})${options.length === 0 ? '' : ` with (${options.join(', ')})`} as select ${list} from ${table}`;
}

async function columnsOf(on: Queryable, oid: number): Promise<readonly RelationColumn[]> {
  return (await on.query<{ name: string; type: string; collation: string | null }>(COLUMNS, [oid])).rows;
}

async function oidOf(on: Queryable, name: string): Promise<number> {
  const { rows } = await on.query<{ oid: number }>(FIND_RELATION, [name]);
  if (rows[0]) return rows[0].oid;
  throw new KappaError('KAPPA_NO_TABLE', `${name} does not exist`, {
    facts: { table: name },
    nextStep: 'Drop the build and rebuild.',
  });
}

async function isCurrentUser(on: Queryable, role: string): Promise<boolean> {
  return (await on.query<{ same: boolean }>(HAS_CURRENT_USER, [role])).rows[0]?.same === true;
}

const KINDS: Readonly<Record<string, string>> = {
  r: 'table',
  p: 'partitioned table',
  m: 'materialised view',
  S: 'sequence',
  f: 'foreign table',
  i: 'index',
  I: 'index',
  c: 'composite type',
};

function taken(schemas: Schemas, projection: string, kind: string): KappaError {
  return new KappaError(
    'KAPPA_VIEW_NAME_TAKEN',
    `a ${kind} that is not ours stands at ${schemas.viewSchema}.${projection}, where the view of projection ${projection} belongs`,
    {
      facts: { projection, schema: schemas.viewSchema, kind },
      nextStep: 'Rename it, give the projection another name, or set database.viewSchema.',
    },
  );
}

function hasDependants(
  schemas: Schemas,
  projection: string,
  changes: readonly string[],
  dependants: readonly { readonly kind: string; readonly name: string }[],
): KappaError {
  const names = dependants.map(({ kind, name }) => `${kind} ${name}`);
  return new KappaError(
    'KAPPA_VIEW_HAS_DEPENDANTS',
    `${schemas.viewSchema}.${projection} cannot change its columns (${changes.join('; ')}) while others stand on it: ${names.join(', ')}`,
    {
      facts: { projection, changes, dependants: names },
      nextStep: 'Drop or change those first and create them again after the swap, or keep the columns and append new ones.',
    },
  );
}
