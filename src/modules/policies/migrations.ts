import type { Migration } from '../../database/migration.js';

/** The tables of policies; they need nothing of the other folders. */
export const policyMigrations: readonly Migration[] = [{ id: 'policies-0001-progress', up: ({ schema }) => tables(schema) }];

const tables = (schema: string): string => `
create table ${schema}.policies (
  name text collate "C" primary key,
  -- where its first partitions began; decided once
  start_at text not null,
  -- what halted it
  error jsonb,
  created_at timestamptz not null default now()
);

create table ${schema}.policy_progress (
  policy text collate "C" not null references ${schema}.policies (name),
  topic text not null,
  partition int not null,
  next_offset bigint not null,
  owner_epoch bigint not null default 0,
  -- commands that the domain refused and the policy ignores
  refused bigint not null default 0,
  -- whose offsets these are: a checkpoint is never used on another log
  log_driver text not null,
  log_cluster text not null,
  topic_incarnation text not null,
  primary key (policy, topic, partition)
) with (fillfactor = 20);
`;
