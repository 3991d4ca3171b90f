import type { Database } from '../../database/database.js';
import { NO_LETTERS, type LetterCounts } from '../../database/dead-letters/dead-letter.js';
import { DeadLetterStore } from '../../database/dead-letters/dead-letter-store.js';
import { qualified, quoteIdentifier } from '../../database/identifiers.js';
import { topicName } from '../../kernel/names.js';
import { distance, partitionKey, type PartitionKey, type Position } from '../../kernel/position.js';
import type { EventLog } from '../../log/event-log.js';
import { positionOf, type Build, type PartitionProgress } from './build.js';
import type { Builds } from './builds.js';
import { letterOwner } from './dead-letters/letter-owner.js';
import { readProgress } from './hold-builds.js';
import type { BuildStatus, ProjectionStatus } from './operations.js';
import { isOrphaned, runningVersions, type RunningVersions } from './processes.js';
import type { ProjectionDefinition } from './projection.js';
import { groupEndedText, isGroupEnded } from './swap-group.js';

export interface StatusContext {
  readonly database: Database;
  readonly log: Pick<EventLog, 'describeTopic' | 'offsets'>;
  readonly builds: Builds;
  /** Loaded definitions; none are needed. */
  readonly projections: readonly ProjectionDefinition[];
}

/** Tables up to this size are counted; of larger ones the planner's estimate is told. */
const COUNTED_BYTES = 16 * 1024 * 1024;

const SIZES = `
  select c.relname as name, c.reltuples::int8 as estimate, pg_total_relation_size(c.oid) as bytes, pg_relation_size(c.oid) as heap
  from pg_class c
  where c.relnamespace = to_regnamespace($1) and c.relname = any($2::text[])`;

/** What is built and what is declared of projections, and where it stands. All when no name is given. */
export async function projectionStatus(
  context: StatusContext,
  names: readonly string[] = [],
): Promise<readonly ProjectionStatus[]> {
  const { database, builds, projections } = context;
  const wanted = (name: string): boolean => names.length === 0 || names.includes(name);
  const all = (await builds.list()).filter((build) => wanted(build.projection));
  const known = new Set([...projections.map(({ name }) => name).filter(wanted), ...all.map((build) => build.projection)]);
  const progress = await readProgress(
    database,
    database.schema,
    all.map(({ id }) => id),
  );
  const ends = await endsOf(context.log, [...progress.values()].flat());
  const running = await runningVersions(database, database.schema);
  const sizes = await sizesOf(database, all);
  const letters = await new DeadLetterStore(database).counts(all.map(({ id }) => letterOwner(id)));
  const active = await pointersOf(database);
  const endedGroups = await endedGroupsOf(builds, all);
  return [...known].sort().map((name) => ({
    name,
    activeBuild: active.get(name) ?? null,
    versions: projections
      .filter((definition) => definition.name === name)
      .map(({ version }) => version)
      .sort((a, b) => a - b),
    builds: all
      .filter((build) => build.projection === name)
      .map((build) =>
        buildStatus(build, active.get(name) === build.id, progress.get(build.id) ?? [], {
          ends,
          running,
          sizes,
          letters,
          projections,
          endedGroups,
        }),
      ),
  }));
}

interface Surroundings {
  readonly ends: Position;
  readonly running: RunningVersions;
  readonly sizes: ReadonlyMap<string, TableSize>;
  readonly letters: ReadonlyMap<string, LetterCounts>;
  readonly projections: readonly ProjectionDefinition[];
  readonly endedGroups: ReadonlyMap<string, readonly Build[]>;
}

export interface TableSize {
  readonly rows: number | null;
  readonly bytes: number;
}

function buildStatus(build: Build, active: boolean, progress: readonly PartitionProgress[], around: Surroundings): BuildStatus {
  const position = positionOf(progress);
  const wanted: Record<PartitionKey, number> = {};
  for (const key of Object.keys(position) as PartitionKey[]) wanted[key] = around.ends[key] ?? 0;
  const size = around.sizes.get(build.tableName);
  return {
    build,
    active,
    progress,
    behind: distance(position, wanted),
    groupEnded: isGroupEnded(build) ? groupEndedText(build, around.endedGroups.get(build.swapGroup ?? '') ?? []) : null,
    orphaned: isOrphaned(build, around.running, around.projections),
    runners: around.running.moving(build).length,
    rows: size?.rows ?? null,
    bytes: size?.bytes ?? null,
    letters: around.letters.get(letterOwner(build.id)) ?? NO_LETTERS,
  };
}

/** Where the log ends, of the topics that these builds read and that it still has. */
async function endsOf(
  log: Pick<EventLog, 'describeTopic' | 'offsets'>,
  progress: readonly PartitionProgress[],
): Promise<Position> {
  const ends: Record<PartitionKey, number> = {};
  for (const name of new Set(progress.map((line) => line.topic))) {
    const topic = topicName(name);
    if ((await log.describeTopic(topic)) === null) continue;
    for (const { partition, end } of await log.offsets(topic)) ends[partitionKey(name, partition)] = end;
  }
  return ends;
}

/** All builds of the swap groups that were given up and of which something is left. */
async function endedGroupsOf(builds: Builds, all: readonly Build[]): Promise<ReadonlyMap<string, readonly Build[]>> {
  const ids = new Set(all.filter(isGroupEnded).map(({ swapGroup }) => swapGroup ?? ''));
  const groups = new Map<string, readonly Build[]>();
  for (const id of ids) groups.set(id, await builds.group(id));
  return groups;
}

async function pointersOf(database: Database): Promise<ReadonlyMap<string, number>> {
  const { rows } = await database.query<{ name: string; active_build: number | null }>(
    `select name, active_build from ${quoteIdentifier(database.schema)}.projections where active_build is not null`,
  );
  return new Map(rows.map((row) => [row.name, row.active_build as number]));
}

/** Rows and bytes of builds' tables, by table name; a table that does not stand (yet, or any more) is absent. */
export async function sizesOf(database: Database, builds: readonly Build[]): Promise<ReadonlyMap<string, TableSize>> {
  const { rows } = await database.query<{ name: string; estimate: number; bytes: number; heap: number }>(SIZES, [
    quoteIdentifier(database.schema),
    builds.map((build) => build.tableName),
  ]);
  const small = rows.filter((row) => row.heap <= COUNTED_BYTES).map((row) => row.name);
  const counted = await countRows(database, small);
  return new Map(
    rows.map(({ name, estimate, bytes }) => [name, { rows: counted.get(name) ?? (estimate < 0 ? null : estimate), bytes }]),
  );
}

async function countRows(database: Database, tables: readonly string[]): Promise<ReadonlyMap<string, number>> {
  if (tables.length === 0) return new Map();
  const selects = tables.map((table, at) => `select ${at} as at, count(*) as rows from ${qualified(database.schema, table)}`);
  // A table may be dropped between look and count: the estimate will do then.
  const rows = await database.query<{ at: number; rows: number }>(selects.join(' union all ')).then(
    (result) => result.rows,
    () => [],
  );
  return new Map(rows.map((row) => [tables[row.at] ?? '', row.rows]));
}
