import type { Migration } from '../migration.js';

/** Records that could not be taken in, of all owners. */
export const deadLetterMigrations: readonly Migration[] = [
  {
    id: 'dead-letters-0001',
    up: ({ schema }) => `
create table ${schema}.dead_letters (
  id bigint generated always as identity primary key,
  -- who moved over it, like build:7
  owner text not null,
  topic text not null,
  partition int not null,
  log_offset bigint not null,
  -- null: a record without key, which nobody follows
  key text,
  tenant text,
  type text,
  state text not null check (state in ('letter', 'follower', 'applied', 'discarded')),
  code text,
  message text,
  stack text,
  attempts int not null default 0,
  first_at timestamptz not null default clock_timestamp(),
  last_at timestamptz not null default clock_timestamp(),
  -- what somebody asked for; the owner carries it out, for it alone knows what it moves over meanwhile
  request text check (request in ('retry', 'discard')),
  requested_by text,
  requested_why text,
  requested_at timestamptz,
  settled_at timestamptz,
  inherited_from bigint,
  -- whatever else goes wrong, no owner moves over a record twice
  unique (owner, topic, partition, log_offset)
);

create index dead_letters_open on ${schema}.dead_letters (owner, topic, partition, log_offset) where state in ('letter', 'follower');
create index dead_letters_requested on ${schema}.dead_letters (owner) where request is not null;
`,
  },
];
