import type { Queryable } from '../../../database/database.js';

/** Something of others that stands on a public view. */
export interface ViewDependant {
  readonly kind: string;
  readonly name: string;
}

/**
 * Everything PostgreSQL knows to depend on the view or on its row type: views, materialised views, functions with SQL bodies,
 * rules, triggers, policies, columns. A function whose body is a string, and a statement in somebody's code, are not known.
 */
const DEPENDANTS = `
  with types as (
    select t.oid from pg_type t
    where t.typrelid = $1::int8::oid or t.typelem = (select oid from pg_type where typrelid = $1::int8::oid)
  ), found as (
    select distinct d.classid, d.objid, d.objsubid
    from pg_depend d
    where d.deptype in ('n', 'a')
      and ((d.refclassid = 'pg_class'::regclass and d.refobjid = $1::int8::oid) or (d.refclassid = 'pg_type'::regclass and d.refobjid in (select oid from types)))
  ), named as (
    -- a view depends through its rule: the view is what its owner knows
    select case c.relkind when 'm' then 'materialized view' when 'v' then 'view' else 'rule on' end as kind, c.oid::regclass::text as name, r.ev_class
    from found f
    join pg_rewrite r on f.classid = 'pg_rewrite'::regclass and r.oid = f.objid
    join pg_class c on c.oid = r.ev_class
    where r.ev_class <> $1::int8::oid or r.rulename <> '_RETURN'
    union all
    select case when f.objsubid > 0 then 'column' else (pg_identify_object(f.classid, f.objid, f.objsubid)).type end, pg_describe_object(f.classid, f.objid, f.objsubid), null
    from found f
    where f.classid <> 'pg_rewrite'::regclass and not (f.classid = 'pg_type'::regclass and f.objid in (select oid from types))
  )
  select distinct case when ev_class = $1::int8::oid then 'rule on' else kind end as kind,
    case when name like kind || ' %' then substr(name, length(kind) + 2) else name end as name
  from named
  order by 1, 2`;

export async function dependantsOf(on: Queryable, view: number): Promise<readonly ViewDependant[]> {
  return (await on.query<{ kind: string; name: string }>(DEPENDANTS, [view])).rows;
}
