import type { Database, Queryable } from '../../database/database.js';
import { quoteIdentifier } from '../../database/identifiers.js';
import type { PartitionKey, Position } from '../../kernel/position.js';
import { PROGRESS_COLUMNS, progressOf, type ProgressRow } from './build-row.js';
import { positionOf, type PartitionProgress } from './build.js';

/** How often a waiting operation looks where builds stand. Lower is faster and costs more queries. */
const LOOK_EVERY_MS = 15;

/** Lines of several builds, locked in one order by all who lock more than one: build, topic, partition. */
export async function lockProgress(
  on: Queryable,
  schema: string,
  builds: readonly number[],
): Promise<ReadonlyMap<number, readonly PartitionProgress[]>> {
  const { rows } = await on.query<ProgressRow>(
    `select ${PROGRESS_COLUMNS} from ${quoteIdentifier(schema)}.progress p where p.build_id = any($1::bigint[]) order by p.build_id, p.topic, p.partition for update`,
    [builds],
  );
  return byBuild(builds, rows);
}

/** Where builds stand now, all in one snapshot. */
export async function readProgress(
  on: Queryable,
  schema: string,
  builds: readonly number[],
): Promise<ReadonlyMap<number, readonly PartitionProgress[]>> {
  const { rows } = await on.query<ProgressRow>(
    `select ${PROGRESS_COLUMNS} from ${quoteIdentifier(schema)}.progress p where p.build_id = any($1::bigint[]) order by p.build_id, p.topic, p.partition`,
    [builds],
  );
  return byBuild(builds, rows);
}

/** Stops a build at offsets it has not passed: its runner cuts its batch there. Runs out by itself after `forMs`. */
export async function setHold(on: Queryable, schema: string, build: number, at: Position, forMs: number): Promise<void> {
  const keys = Object.keys(at) as PartitionKey[];
  await on.query(
    `update ${quoteIdentifier(schema)}.progress p
     set hold_at = held.at, hold_until = clock_timestamp() + make_interval(secs => $4::double precision / 1000)
     from unnest($2::text[], $3::bigint[]) as held(key, at)
     where p.build_id = $1 and p.topic || '/' || p.partition = held.key`,
    [build, keys, keys.map((key) => at[key]), forMs],
  );
}

/** Lets builds go on; those whose hold has run out, too. Lines are locked in the order of all others. */
export async function clearHolds(on: Queryable, schema: string, builds: readonly number[]): Promise<void> {
  await on.query(
    `with locked as materialized (
       select p.build_id, p.topic, p.partition from ${quoteIdentifier(schema)}.progress p
       where p.build_id = any($1::bigint[]) and p.hold_at is not null
       order by p.build_id, p.topic, p.partition
       for update
     )
     update ${quoteIdentifier(schema)}.progress p set hold_at = null, hold_until = null
     from locked
     where p.build_id = locked.build_id and p.topic = locked.topic and p.partition = locked.partition`,
    [builds],
  );
}

/** At the end of what held them: whatever came of that stands, and a hold that cannot be cleared now runs out by itself. */
export async function leaveHolds(database: Database, builds: readonly number[]): Promise<void> {
  if (builds.length > 0) await clearHolds(database, database.schema, builds).catch(() => undefined);
}

/**
 * Waits until `reached` says so of where the builds stand; false when that is not so within `forMs`.
 * Looks again at intervals: those who move the builds may be other processes.
 */
export async function waitForProgress(
  database: Database,
  builds: readonly number[],
  forMs: number,
  reached: (positions: ReadonlyMap<number, Position>) => boolean,
  signal?: AbortSignal,
): Promise<boolean> {
  const until = performance.now() + forMs;
  for (;;) {
    signal?.throwIfAborted();
    const progress = await readProgress(database, database.schema, builds);
    if (reached(new Map([...progress].map(([build, lines]) => [build, positionOf(lines)])))) return true;
    if (performance.now() >= until) return false;
    await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS));
  }
}

function byBuild(builds: readonly number[], rows: readonly ProgressRow[]): ReadonlyMap<number, readonly PartitionProgress[]> {
  return new Map(builds.map((build) => [build, rows.filter((row) => row.build_id === build).map(progressOf)]));
}
