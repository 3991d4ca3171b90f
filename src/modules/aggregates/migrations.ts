import type { Migration } from '../../database/migration.js';
import { appendFunctions } from './append-functions.js';
import { appendGroupFunction } from './append-group-function.js';
import { loadFunction } from './load-function.js';

/** The tables and functions of the write side. They stand on the log's: apply those first. */
export const aggregateMigrations: readonly Migration[] = [
  { id: 'aggregates-0001-commands', up: ({ schema }) => tables(schema) },
  { id: 'aggregates-0002-append', up: ({ schema }) => appendFunctions(schema) },
  { id: 'aggregates-0003-load', up: ({ schema }) => loadFunction(schema) },
  { id: 'aggregates-0004-append-group', up: ({ schema }) => appendGroupFunction(schema) },
];

/**
 * No table here has a row that every command updates: such a row dies under a foreign snapshot. A stream's head is the highest
 * version of its records; commands and claims are inserted; a snapshot is updated once in many events.
 */
const tables = (schema: string): string => `
-- An aggregate keeps its topic for ever: under another one its streams would begin anew.
create table ${schema}.aggregates (
  name text collate "C" primary key,
  topic text collate "C" not null,
  created_at timestamptz not null default now()
);

-- Every command that took effect, also when it emitted nothing: then last_version = first_version - 1.
create table ${schema}.commands (
  stream text collate "C" not null,
  command_id text collate "C" not null,
  content_hash text collate "C" not null,
  first_version int not null,
  last_version int not null,
  -- the end of the stream's partition after the command
  next_offset bigint not null,
  recorded_at timestamptz not null,
  primary key (stream, command_id)
);

create table ${schema}.unique_claims (
  tenant text collate "C" not null,
  name text collate "C" not null,
  value text collate "C" not null,
  stream text collate "C" not null,
  primary key (tenant, name, value)
);
create index unique_claims_stream on ${schema}.unique_claims (stream, name);

create table ${schema}.snapshots (
  stream text collate "C" primary key,
  version int not null,
  fingerprint text not null,
  state json not null,
  taken_at timestamptz not null default now()
) with (fillfactor = 70);
`;
