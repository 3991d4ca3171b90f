import type { Queryable } from '../../../database/database.js';
import { quoteIdentifier, quoteLiteral } from '../../../database/identifiers.js';

/** One privilege on a relation or a column of it; `grantee` null is everyone. */
interface Grant {
  readonly column: string | null;
  readonly grantee: string | null;
  readonly privilege: string;
  readonly grantable: boolean;
}

interface Comment {
  readonly column: string | null;
  readonly text: string;
}

/** What belongs to a view and is lost when it is dropped. */
export interface ViewRecord {
  readonly owner: string;
  readonly grants: readonly Grant[];
  readonly comments: readonly Comment[];
}

/** Grants as they apply: an owner who never granted anything still has the default ones. */
const GRANTS = `
  select null::text as column, case when acl.grantee = 0 then null else pg_get_userbyid(acl.grantee) end as grantee, acl.privilege_type as privilege, acl.is_grantable as grantable
  from pg_class c, aclexplode(coalesce(c.relacl, acldefault('r', c.relowner))) acl
  where c.oid = $1::int8::oid
  union all
  select a.attname::text, case when acl.grantee = 0 then null else pg_get_userbyid(acl.grantee) end, acl.privilege_type, acl.is_grantable
  from pg_attribute a, aclexplode(a.attacl) acl
  where a.attrelid = $1::int8::oid and a.attnum > 0 and not a.attisdropped`;

const COMMENTS = `
  select null::text as column, d.description as text from pg_description d
  where d.classoid = 'pg_class'::regclass and d.objoid = $1::int8::oid and d.objsubid = 0
  union all
  select a.attname::text, d.description from pg_description d
  join pg_attribute a on a.attrelid = d.objoid and a.attnum = d.objsubid
  where d.classoid = 'pg_class'::regclass and d.objoid = $1::int8::oid and d.objsubid > 0`;

const COLUMN_NAMES = `select attname as name from pg_attribute where attrelid = $1::int8::oid and attnum > 0 and not attisdropped`;
const OID = `select to_regclass($1)::oid::int8 as oid`;

export async function recordView(on: Queryable, view: { readonly oid: number; readonly owner: string }): Promise<ViewRecord> {
  const { rows: comments } = await on.query<{ column: string | null; text: string }>(COMMENTS, [view.oid]);
  return { owner: view.owner, grants: await grantsOf(on, view.oid), comments };
}

/** Gives a view that was created anew what the former one had; what hung on a column that is gone is gone with it. */
export async function restoreView(on: Queryable, name: string, oid: number, record: ViewRecord): Promise<void> {
  const { rows } = await on.query<{ name: string }>(COLUMN_NAMES, [oid]);
  const columns = new Set(rows.map((row) => row.name));
  for (const { column, text } of record.comments) {
    if (column === null) await on.query(`comment on view ${name} is ${quoteLiteral(text)}`);
    else if (columns.has(column))
      await on.query(`comment on column ${name}.${quoteIdentifier(column)} is ${quoteLiteral(text)}`);
  }
  // The owner first: default privileges of the one who creates it may have given what nobody granted.
  await on.query(`alter view ${name} owner to ${quoteIdentifier(record.owner)}`);
  const wanted = record.grants.filter((grant) => grant.column === null || columns.has(grant.column));
  const given = await grantsOf(on, oid);
  for (const grant of given)
    if (!wanted.some((other) => isSameGrant(other, grant)))
      await on.query(`revoke ${privilegeSql(grant)} on ${name} from ${granteeSql(grant)}`);
  for (const grant of wanted) if (!given.some((other) => isSameGrant(other, grant))) await on.query(grantSql(name, grant));
}

/** What others are granted on a view, in words: `SELECT to reader`. */
export async function describeGrants(
  on: Queryable,
  view: { readonly oid: number; readonly owner: string },
): Promise<readonly string[]> {
  const grants = (await grantsOf(on, view.oid)).filter((grant) => grant.grantee !== view.owner);
  return grants.map(
    ({ privilege, column, grantee }) => `${privilege}${column === null ? '' : ` (${column})`} to ${grantee ?? 'everyone'}`,
  );
}

/** What was granted on the former table itself (for views with `security_invoker`) holds for the next. */
export async function copyGrants(on: Queryable, from: string, to: string): Promise<void> {
  const [before, after] = [await oidOf(on, from), await oidOf(on, to)];
  if (before === null || after === null) return;
  const given = await grantsOf(on, after);
  for (const grant of await grantsOf(on, before)) {
    if (grant.column === null && !given.some((other) => isSameGrant(other, grant))) await on.query(grantSql(to, grant));
  }
}

async function grantsOf(on: Queryable, oid: number): Promise<readonly Grant[]> {
  return (
    await on.query<{ column: string | null; grantee: string | null; privilege: string; grantable: boolean }>(GRANTS, [oid])
  ).rows;
}

async function oidOf(on: Queryable, name: string): Promise<number | null> {
  return (await on.query<{ oid: number | null }>(OID, [name])).rows[0]?.oid ?? null;
}

function isSameGrant(a: Grant, b: Grant): boolean {
  return a.column === b.column && a.grantee === b.grantee && a.privilege === b.privilege && a.grantable === b.grantable;
}

function grantSql(name: string, grant: Grant): string {
  return `grant ${privilegeSql(grant)} on ${name} to ${granteeSql(grant)}${grant.grantable ? ' with grant option' : ''}`;
}

function privilegeSql({ privilege, column }: Grant): string {
  // The name comes from PostgreSQL's own list of privileges.
  return column === null ? privilege : `${privilege} (${quoteIdentifier(column)})`;
}

function granteeSql({ grantee }: Grant): string {
  return grantee === null ? 'public' : quoteIdentifier(grantee);
}
