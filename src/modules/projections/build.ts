import type { PartitionCheckpoint, PartitionClaim } from '../../database/partition-progress.js';
import type { Position } from '../../kernel/position.js';

/**
 * The life of a build. One function moves states (`moveBuild` in build-store.ts), along this table:
 *
 * | from        | to                            | by |
 * |---|---|---|
 * | planned     | building, aborted             | a runner that claims it; `drop` |
 * | building    | catching-up, failed, aborted  | rebuild reached the end it saw; a failing event; `drop` or a newer rebuild |
 * | catching-up | ready, failed, aborted        | not behind the live build any more |
 * | ready       | live, failed, aborted         | swap |
 * | live        | standby                       | swap or rollback to another build |
 * | standby     | live, retired                 | rollback or forward; its window ended or `retire` |
 * | failed      | building, aborted             | `rebuild` again, or a restart with corrected code |
 * | aborted     | dropped                       | `drop`, or cleaning up |
 * | retired     | dropped                       | `drop` |
 */
export type BuildState =
  'planned' | 'building' | 'catching-up' | 'ready' | 'live' | 'standby' | 'retired' | 'dropped' | 'failed' | 'aborted';

export const TRANSITIONS: Readonly<Record<BuildState, readonly BuildState[]>> = {
  planned: ['building', 'aborted'],
  building: ['catching-up', 'failed', 'aborted'],
  'catching-up': ['ready', 'failed', 'aborted'],
  ready: ['live', 'failed', 'aborted'],
  live: ['standby'],
  standby: ['live', 'retired'],
  failed: ['building', 'aborted'],
  aborted: ['dropped'],
  retired: ['dropped'],
  dropped: [],
};

/** States of builds that readers do not see yet: nothing is lost by building anew. */
export const ON_THE_WAY: readonly BuildState[] = ['planned', 'building', 'catching-up', 'ready', 'failed'];

export function isOnTheWay({ state }: Pick<Build, 'state'>): boolean {
  return ON_THE_WAY.includes(state);
}

/** States whose builds a live runner keeps at the tail of the log. */
export const FOLLOWING: readonly BuildState[] = ['catching-up', 'ready', 'live', 'standby'];

/** What stopped a build: shown by status, cleared when it goes on. */
export interface BuildError {
  readonly code: string;
  readonly message: string;
  readonly stack: string | null;
  /** Where in the log, when a record is at fault. */
  readonly at: {
    readonly topic: string;
    readonly partition: number;
    readonly offset: number;
    readonly type: string | null;
  } | null;
  /** ISO 8601. */
  readonly since: string;
}

/** A physical table of a projection's version, and what is known of it. */
export interface Build {
  readonly id: number;
  readonly projection: string;
  readonly version: number;
  /** 1, 2, 3 … within the version. */
  readonly number: number;
  readonly state: BuildState;
  /** Stored, never parsed; in our schema. */
  readonly tableName: string;
  /** What must not change under a version: see fingerprint.ts. */
  readonly shape: BuildShape;
  /** Hash of the handlers' code, and after it those that were accepted as the same meaning, separated by spaces. */
  readonly code: string;
  readonly error: BuildError | null;
  /** ISO 8601; until then a standby build keeps projecting. */
  readonly standbyUntil: string | null;
  /** Swaps by itself when it is ready. */
  readonly swapWhenReady: boolean;
  /** Builds of the same group swap together, when all are ready. */
  readonly swapGroup: string | null;
  readonly createdAt: string;
  readonly stateSince: string;
}

/** Columns, keys, topics and event versions of a version, as readable data so that a difference can be told in words. */
export interface BuildShape {
  /** In table order. */
  readonly columns: readonly {
    readonly name: string;
    readonly type: string;
    readonly nullable: boolean;
    readonly default: string | null;
  }[];
  readonly key: readonly string[];
  readonly topics: readonly { readonly name: string; readonly partitions: number }[];
  /** `type@version` of each handled event, sorted. */
  readonly events: readonly string[];
}

/** One line of progress: what a build has taken in of one partition; its log is checked in check-identity.ts. */
export interface PartitionProgress extends PartitionCheckpoint {
  readonly ownerEpoch: number;
  /** Exclusive: the runner cuts its batch here and waits; null in general, and when the hold has run out. */
  readonly holdAt: number | null;
}

/** What an owner holds after claiming a partition. */
export interface Claim extends PartitionClaim {
  readonly holdAt: number | null;
}

/** `advanced`: all moved. `fenced`: a later owner, or the offset moved. `held`: `to` lies beyond `hold_at`: cut the batch. */
export type AdvanceOutcome = 'advanced' | 'fenced' | 'held';

export function positionOf(progress: readonly PartitionProgress[]): Position {
  return Object.fromEntries(progress.map((line) => [`${line.topic}/${line.partition}`, line.nextOffset]));
}

/** `fines v1 build 3` */
export function buildLabel(build: Pick<Build, 'projection' | 'version' | 'number'>): string {
  return `${build.projection} v${build.version} build ${build.number}`;
}
