import { randomBytes } from 'node:crypto';
import pg from 'pg';
import { Column, DataSource, Entity, PrimaryColumn } from 'typeorm';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { dependantsOf } from '../../src/modules/projections/swap/view-dependants.js';
import { findView } from '../../src/modules/projections/swap/public-view.js';
import { swapBuilds } from '../../src/modules/projections/swap/swap-builds.js';
import { column, ID, PAID, SwapScene, tableOf } from './swap-scene.js';

const NOTE = column('note', 'text');
const ROWS = [{ id: 'a', paid: '1.00' }];
const WITH_NOTE = [{ id: 'a', paid: '1.00', note: 'n' }];

@Entity({ name: 'fines', synchronize: false })
class FineRow {
  @PrimaryColumn('text') id!: string;
  @Column('numeric', { precision: 12, scale: 2 }) paid!: string;
}

describe('the public view', () => {
  let scene: SwapScene;
  const roles: string[] = [];
  beforeEach(async () => {
    scene = await SwapScene.start();
  });
  afterEach(async () => {
    for (const role of roles.splice(0)) {
      await scene.database.query(`drop owned by ${role}`);
      await scene.database.query(`drop role ${role}`);
    }
    await scene.stop();
  });

  const run = async (...statements: readonly string[]): Promise<void> => {
    for (const statement of statements) await scene.database.query(statement);
  };
  const role = async (): Promise<string> => {
    const name = `role_${randomBytes(5).toString('hex')}`;
    await run(`create role ${name}`);
    roles.push(name);
    return name;
  };
  const one = async (statement: string, ...values: readonly unknown[]): Promise<unknown> => {
    const { rows } = await scene.database.query(statement, values);
    return Object.values(rows[0] ?? {})[0];
  };
  const grants = async (): Promise<readonly unknown[]> =>
    (
      await scene.database.query(
        `select grantee, privilege_type, is_grantable from information_schema.role_table_grants where table_name = 'fines'
         union all select grantee, privilege_type || ' ' || column_name, is_grantable from information_schema.column_privileges p
         where table_name = 'fines' and not exists (select 1 from information_schema.role_table_grants t where t.table_name = 'fines' and t.grantee = p.grantee and t.privilege_type = p.privilege_type)
         order by 1, 2`,
      )
    ).rows;

  it('keeps grants, comments, options and everything of others when columns are the same or appended', async () => {
    await swapBuilds(scene.context, [await scene.build('fines', { rows: ROWS })]);
    const reader = await role();
    await run(
      `grant select on public.fines to ${reader}`,
      `comment on view public.fines is 'all fines'`,
      `alter view public.fines set (security_barrier = true)`,
      `create view public.report as select * from public.fines`,
    );
    const before = await grants();
    await swapBuilds(scene.context, [
      await scene.build('fines', { version: 2, table: tableOf(ID, PAID, NOTE), rows: WITH_NOTE }),
    ]);
    expect(await grants()).toEqual(before);
    expect(await one(`select obj_description('public.fines'::regclass)`)).toBe('all fines');
    expect(await one(`select reloptions::text from pg_class where oid = 'public.fines'::regclass`)).toBe(
      '{security_barrier=true}',
    );
    expect(await scene.view('fines')).toEqual(WITH_NOTE);
    expect(await scene.view('report')).toEqual(ROWS);
  });

  it('is dropped and created with owner, grants, comments and options when a column goes or changes its type', async () => {
    const [reader, editor, owner] = [await role(), await role(), await role()];
    await run(
      `grant usage on schema kappa to ${owner}`,
      `grant create on schema public to ${owner}`,
      `alter default privileges grant select on tables to ${editor}`,
    );
    await swapBuilds(scene.context, [await scene.build('fines', { rows: WITH_NOTE, table: tableOf(ID, PAID, NOTE) })]);
    await run(
      `revoke all on public.fines from ${editor}`,
      `grant select on public.fines to ${reader} with grant option`,
      `grant select (id, note) on public.fines to ${editor}`,
      `grant select on public.fines to public`,
      `comment on view public.fines is 'it''s all \\ fines'`,
      `comment on column public.fines.id is 'the id'`,
      `comment on column public.fines.note is 'gone soon'`,
      `alter view public.fines set (security_barrier = true)`,
      `grant select on kappa.fines_v1_b1 to ${owner}`,
      `alter view public.fines owner to ${owner}`,
    );
    const before = (await grants()) as { privilege_type: string }[];
    const retyped = tableOf(ID, column('paid', 'bigint'));
    await swapBuilds(scene.context, [
      await scene.build('fines', { version: 2, table: retyped, rows: [{ id: 'a', paid: '100' }] }),
    ]);
    expect(await grants()).toEqual(before.filter((grant) => grant.privilege_type !== 'SELECT note'));
    expect(await one(`select obj_description('public.fines'::regclass)`)).toBe("it's all \\ fines");
    expect(await one(`select col_description('public.fines'::regclass, 1)`)).toBe('the id');
    expect(await one(`select viewowner from pg_views where viewname = 'fines'`)).toBe(owner);
    expect(await one(`select reloptions::text from pg_class where oid = 'public.fines'::regclass`)).toBe(
      '{security_barrier=true}',
    );
    const client = new pg.Client({ connectionString: scene.fresh.url, options: `-c role=${reader}` });
    await client.connect();
    expect((await client.query('select * from public.fines')).rows).toEqual([{ id: 'a', paid: '100' }]);
    await client.end();
  });

  it('refuses to change its columns while others stand on it, names them all, and changes nothing', async () => {
    await swapBuilds(scene.context, [await scene.build('fines', { rows: WITH_NOTE, table: tableOf(ID, PAID, NOTE) })]);
    await run(
      `create view public.bi as select * from public.fines`,
      `create materialized view public.totals as select sum(paid) from public.fines`,
      `create function public.count_fines() returns bigint language sql begin atomic select count(*) from public.fines; end`,
      `create function public.all_fines() returns setof public.fines language plpgsql as 'begin return query select * from public.fines; end'`,
      `create table public.mine (id text, last public.fines)`,
      `alter table public.mine enable row level security`,
      `create policy only_mine on public.mine using (exists (select 1 from public.fines f where f.id = mine.id))`,
      `create function public.refuse_insert() returns trigger language plpgsql as 'begin return null; end'`,
      `create trigger no_insert instead of insert on public.fines for each row execute function public.refuse_insert()`,
      `create rule quiet as on update to public.fines do instead nothing`,
    );
    const next = await scene.build('fines', { version: 2, rows: ROWS });
    const refused = await swapBuilds(scene.context, [next]).catch((error: unknown) => error);
    expect(refused).toMatchObject({ code: 'KAPPA_VIEW_HAS_DEPENDANTS', facts: { changes: ['column note removed'] } });
    expect((refused as { facts: { dependants: string[] } }).facts.dependants).toEqual([
      'column last of table public.mine',
      'function public.all_fines()',
      'function public.count_fines()',
      'materialized view public.totals',
      'policy only_mine on table public.mine',
      'rule on public.fines',
      'trigger no_insert on view public.fines',
      'view public.bi',
    ]);
    expect(await scene.view('bi')).toEqual(WITH_NOTE);
    expect((await scene.store.get(next.id))?.state).toBe('ready');
    // Appending is no reason to refuse.
    const appended = tableOf(ID, PAID, NOTE, column('more', 'text'));
    await swapBuilds(scene.context, [
      await scene.build('fines', { version: 3, table: appended, rows: [{ ...WITH_NOTE[0], more: 'm' }] }),
    ]);
    expect(await scene.view('bi')).toEqual(WITH_NOTE);
  });

  it('counts nothing of its own among its dependants', async () => {
    await swapBuilds(scene.context, [await scene.build('fines', { rows: ROWS })]);
    const view = await findView(scene.database, scene.database, 'fines');
    expect(await dependantsOf(scene.database, view?.oid ?? 0)).toEqual([]);
  });

  it.each([
    ['table', 'create table public.fines (id text)'],
    ['view', 'create view public.fines as select 1 as id'],
    ['materialised view', 'create materialized view public.fines as select 1 as id'],
  ])('is refused with words where a %s of others has its name', async (kind, statement) => {
    await run(statement);
    await expect(swapBuilds(scene.context, [await scene.build('fines')])).rejects.toMatchObject({
      code: 'KAPPA_VIEW_NAME_TAKEN',
      facts: { kind },
    });
  });

  it('stands beside the tables for a role that may create in that one schema only', async () => {
    const owner = await role();
    await run(
      `create schema alone authorization ${owner}`,
      `revoke create on schema public from public`,
      `grant connect on database ${new URL(scene.fresh.url).pathname.slice(1)} to ${owner}`,
      `alter role ${owner} login password 'secret'`,
    );
    const url = Object.assign(new URL(scene.fresh.url), { username: owner, password: 'secret' }).href;
    const limited = await SwapScene.start({ url, schema: 'alone', viewSchema: 'alone' });
    try {
      await swapBuilds(limited.context, [await limited.build('fines', { rows: ROWS })]);
      await swapBuilds(limited.context, [
        await limited.build('fines', { version: 2, rows: WITH_NOTE, table: tableOf(NOTE, ID, PAID) }),
      ]);
      await swapBuilds(limited.context, [await limited.build('fines', { version: 3, rows: ROWS })]);
      expect((await limited.database.query('select * from fines')).rows).toEqual(ROWS);
      await expect(swapBuilds(limited.context, [await limited.build('progress')])).rejects.toMatchObject({
        code: 'KAPPA_VIEW_NAME_TAKEN',
      });
    } finally {
      await limited.stop();
    }
  });

  it('is left alone by a TypeORM DataSource that synchronises, and read by its Repository', async () => {
    await swapBuilds(scene.context, [await scene.build('fines', { rows: [...ROWS, { id: 'b', paid: '2.00' }] })]);
    const source = new DataSource({ type: 'postgres', url: scene.fresh.url, entities: [FineRow], synchronize: false });
    await source.initialize();
    try {
      expect((await source.driver.createSchemaBuilder().log()).upQueries).toEqual([]);
      await source.synchronize();
      expect(await source.getRepository(FineRow).find({ where: { paid: '2.00' } })).toEqual([
        Object.assign(new FineRow(), { id: 'b', paid: '2.00' }),
      ]);
      await swapBuilds(scene.context, [await scene.build('fines', { rows: ROWS })]);
      expect(await source.getRepository(FineRow).count()).toBe(1);
    } finally {
      await source.destroy();
    }
  });
});
