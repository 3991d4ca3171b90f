import type { Build, BuildError, BuildShape, BuildState, PartitionProgress } from './build.js';

/** Columns of a build as {@link buildOf} reads them, for `builds b`. */
export const BUILD_COLUMNS = `b.id, b.projection, b.version, b.number, b.state, b.table_name, b.shape, b.code, b.error, b.swap_when_ready, b.swap_group,
  ${iso('b.standby_until')} as standby_until, ${iso('b.created_at')} as created_at, ${iso('b.state_since')} as state_since`;

export interface BuildRow {
  readonly id: number;
  readonly projection: string;
  readonly version: number;
  readonly number: number;
  readonly state: BuildState;
  readonly table_name: string;
  readonly shape: BuildShape;
  readonly code: string;
  readonly error: BuildError | null;
  readonly swap_when_ready: boolean;
  readonly swap_group: string | null;
  readonly standby_until: string | null;
  readonly created_at: string;
  readonly state_since: string;
}

export function buildOf(row: BuildRow): Build {
  return {
    id: row.id,
    projection: row.projection,
    version: row.version,
    number: row.number,
    state: row.state,
    tableName: row.table_name,
    shape: row.shape,
    code: row.code,
    error: row.error,
    standbyUntil: row.standby_until,
    swapWhenReady: row.swap_when_ready,
    swapGroup: row.swap_group,
    createdAt: row.created_at,
    stateSince: row.state_since,
  };
}

/** Columns of a progress line as {@link progressOf} reads them, for `progress p`. A hold that has run out is none. */
export const PROGRESS_COLUMNS = `p.build_id, p.topic, p.partition, p.next_offset, p.owner_epoch,
  case when p.hold_until > clock_timestamp() then p.hold_at end as hold_at, p.log_driver, p.log_cluster, p.topic_incarnation`;

export interface ProgressRow {
  readonly build_id: number;
  readonly topic: string;
  readonly partition: number;
  readonly next_offset: number;
  readonly owner_epoch: number;
  readonly hold_at: number | null;
  readonly log_driver: string;
  readonly log_cluster: string;
  readonly topic_incarnation: string;
}

export function progressOf(row: ProgressRow): PartitionProgress {
  return {
    topic: row.topic,
    partition: row.partition,
    nextOffset: row.next_offset,
    ownerEpoch: row.owner_epoch,
    holdAt: row.hold_at,
    log: { driver: row.log_driver, cluster: row.log_cluster, incarnation: row.topic_incarnation },
  };
}

function iso(column: string): string {
  return `to_char(${column} at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')`;
}
