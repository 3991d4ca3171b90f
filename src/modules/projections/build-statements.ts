import { advanceAndWrite, advanceStatement, claimStatement, type ProgressTable } from '../../database/partition-progress.js';
import { BUILD_COLUMNS, PROGRESS_COLUMNS } from './build-row.js';

export type BuildStatements = ReturnType<typeof buildStatements>;

/** Lines that a comparison or a swap holds where they are. */
const HELD = 'to_offset > hold_at and hold_until > clock_timestamp()';

/** The statements of the build store; `schema` is quoted. */
export function buildStatements(schema: string) {
  const progress: ProgressTable = { name: `${schema}.progress`, owner: 'build_id' };
  return {
    addProjection: `insert into ${schema}.projections (name) values ($1) on conflict (name) do nothing`,
    lockProjection: `select 1 from ${schema}.projections where name = $1 for update`,
    nextNumber: `select coalesce(max(number), 0) + 1 as number from ${schema}.builds where projection = $1 and version = $2`,

    insertBuild: `
      insert into ${schema}.builds as b (projection, version, number, state, table_name, shape, code, swap_when_ready, swap_group)
      values ($1, $2, $3, $4, $5, $6, $7, $8, $9)
      returning ${BUILD_COLUMNS}`,

    insertProgress: `
      insert into ${schema}.progress (build_id, topic, partition, next_offset, topic_incarnation, log_driver, log_cluster)
      select $1, line.topic, line.partition, line.next_offset, line.incarnation, $6, $7
      from unnest($2::text[], $3::int[], $4::bigint[], $5::text[]) as line(topic, partition, next_offset, incarnation)`,

    // Of a topic that is still the same: offsets of another log, or of a topic made anew, name other records.
    sameTopics: `
      select distinct p.build_id, p.topic
      from ${schema}.progress p
      join ${schema}.builds b on b.id = p.build_id
      join ${schema}.progress own on own.build_id = $2 and own.topic = p.topic and own.partition = p.partition
        and own.log_driver = p.log_driver and own.log_cluster = p.log_cluster and own.topic_incarnation = p.topic_incarnation
      where b.projection = $1 and b.id <> $2`,

    get: `select ${BUILD_COLUMNS} from ${schema}.builds b where b.id = $1`,

    list: `
      select ${BUILD_COLUMNS} from ${schema}.builds b
      where b.state <> 'dropped' and ($1::text is null or b.projection = $1)
      order by b.id`,

    active: `
      select ${BUILD_COLUMNS} from ${schema}.projections p join ${schema}.builds b on b.id = p.active_build
      where p.name = $1`,

    // Build, its progress and the audit change together, also without a transaction around.
    move: `
      with before as materialized (
        select id, state from ${schema}.builds where id = $1 and state = any($3::text[]) for update
      ), moved as (
        update ${schema}.builds as b
        set state = $2, state_since = now(), error = $4, standby_until = $5,
            swap_when_ready = b.swap_when_ready and $2 <> 'live',
            worker = case when $6 then null else b.worker end
        from before
        where b.id = before.id
        returning ${BUILD_COLUMNS}
      ), locked as materialized (
        select p.build_id, p.topic, p.partition from ${schema}.progress p, moved
        where $6 and p.build_id = moved.id
        order by p.topic, p.partition
        for update of p
      ), fenced as (
        update ${schema}.progress as p set owner_epoch = p.owner_epoch + 1, hold_at = null, hold_until = null
        from locked
        where p.build_id = locked.build_id and p.topic = locked.topic and p.partition = locked.partition
      ), noted as (
        insert into ${schema}.projection_audit (projection, build_id, action, facts)
        select moved.projection, moved.id, 'state', jsonb_build_object('from', before.state, 'to', moved.state, 'at', (select sum(p.next_offset) from ${schema}.progress p where p.build_id = moved.id))
        from moved, before
      )
      select * from moved`,

    setError: `update ${schema}.builds set error = $2 where id = $1`,

    accept: `
      update ${schema}.builds as b
      set code = case when $2 = any(string_to_array(b.code, ' ')) then b.code else b.code || ' ' || $2 end
      where b.id = $1
      returning ${BUILD_COLUMNS}`,

    swapBy: `update ${schema}.builds as b set swap_when_ready = true, swap_group = $2 where b.id = $1 returning ${BUILD_COLUMNS}`,

    group: `select ${BUILD_COLUMNS} from ${schema}.builds b where b.swap_group = $1 order by b.id`,

    endGroup: `
      with ended as (
        update ${schema}.builds as b set swap_when_ready = false
        where b.swap_group = $1 and b.swap_when_ready and b.state not in ('aborted', 'dropped')
        returning ${BUILD_COLUMNS}
      ), noted as (
        insert into ${schema}.projection_audit (projection, build_id, action, facts)
        select ended.projection, ended.id, 'end-group', $2::jsonb from ended
      )
      select * from ended order by id`,

    progress: `select ${PROGRESS_COLUMNS} from ${schema}.progress p where p.build_id = $1 order by p.topic, p.partition`,

    claim: claimStatement(progress, PROGRESS_COLUMNS, {
      from: `${schema}.builds b`,
      where: `b.id = p.build_id and b.state in ('building', 'catching-up', 'ready', 'live', 'standby')`,
    }),

    advance: advanceStatement(progress, HELD),

    advanceAndWrite: (statements: readonly string[]) => advanceAndWrite(progress, HELD, statements),

    stands: `
      select case
        when p.owner_epoch <> $4 or p.next_offset <> $5 then 'fenced'
        when p.hold_at is not null and p.hold_until > clock_timestamp() then 'held'
        else 'advanced'
      end as outcome
      from ${schema}.progress p
      where p.build_id = $1 and p.topic = $2 and p.partition = $3
      for update of p`,

    lease: `
      update ${schema}.builds
      set worker = $2, worker_until = clock_timestamp() + make_interval(secs => $3::double precision / 1000)
      where id = $1 and (worker is null or worker = $2 or worker_until < clock_timestamp())`,

    release: `update ${schema}.builds set worker = null, worker_until = null where id = $1 and worker = $2`,

    isLeased: `select coalesce(worker is not null and worker_until > clock_timestamp(), false) as leased from ${schema}.builds where id = $1`,

    audit: `insert into ${schema}.projection_audit (projection, build_id, action, facts) values ($1, $2, $3, $4)`,
  };
}
