import type { Migration } from '../../database/migration.js';

/** The tables of projections: pointer, builds, progress, who runs what, and what was done. */
export const projectionMigrations: readonly Migration[] = [
  {
    id: 'projections-0001-builds',
    up: ({ schema }) => `
create table ${schema}.projections (
  name text primary key,
  -- the pointer: which build the public view and our readers show; null until the first swap
  active_build bigint,
  changed_at timestamptz not null default now()
);

create table ${schema}.builds (
  id bigint generated always as identity primary key,
  projection text not null references ${schema}.projections (name),
  version int not null,
  number int not null,
  state text not null,
  table_name text not null unique,
  shape jsonb not null,
  code text not null,
  error jsonb,
  standby_until timestamptz,
  -- the process that builds in bulk, for liveness only; epochs in progress are for safety
  worker uuid,
  worker_until timestamptz,
  -- swap by itself when ready: the first build of a projection, development rebuilds, rebuild --swap
  swap_when_ready boolean not null default false,
  -- builds that swap together
  swap_group uuid,
  created_at timestamptz not null default now(),
  state_since timestamptz not null default now(),
  unique (projection, version, number)
);

-- whatever else goes wrong, no two builds of a projection are live
create unique index builds_one_live on ${schema}.builds (projection) where state = 'live';

alter table ${schema}.projections
  add foreign key (active_build) references ${schema}.builds (id);

create table ${schema}.progress (
  build_id bigint not null references ${schema}.builds (id),
  topic text not null,
  partition int not null,
  next_offset bigint not null,
  owner_epoch bigint not null default 0,
  hold_at bigint,
  -- a hold ends by itself: whoever set it may have been killed
  hold_until timestamptz,
  -- whose offsets these are: a checkpoint is never used on another log
  log_driver text not null,
  log_cluster text not null,
  topic_incarnation text not null,
  primary key (build_id, topic, partition)
) with (fillfactor = 20);

create table ${schema}.processes (
  id uuid primary key,
  host text not null,
  pid int not null,
  application text not null,
  -- [{"projection": "fines", "version": 1, "code": "5f0c…"}]: which versions its code contains and runs, and its hash
  versions jsonb not null,
  started_at timestamptz not null default now(),
  seen_at timestamptz not null default now()
);

create table ${schema}.projection_audit (
  id bigint generated always as identity primary key,
  at timestamptz not null default now(),
  projection text not null,
  build_id bigint,
  action text not null,
  facts jsonb not null default '{}'
);
`,
  },
];
