import type { LetterCounts } from '../../database/dead-letters/dead-letter.js';
import type { Position } from '../../kernel/position.js';
import type { Build, PartitionProgress } from './build.js';
import type { ProjectingProcess } from './processes.js';

/** What `status` says of one build. */
export interface BuildStatus {
  readonly build: Build;
  readonly active: boolean;
  readonly progress: readonly PartitionProgress[];
  /** Offsets still to go, an upper bound on records. */
  readonly behind: number;
  /** Why it does not swap with its group any more; null where that is not so. */
  readonly groupEnded: string | null;
  /** Its version stands neither in a running process nor in the loaded definitions: nobody moves it. */
  readonly orphaned: boolean;
  /** Running processes that move it: those that have its version, and while it is on its way the code it was begun with. */
  readonly runners: number;
  readonly rows: number | null;
  readonly bytes: number | null;
  /** Events that it has set aside. */
  readonly letters: LetterCounts;
}

export interface ProjectionStatus {
  readonly name: string;
  readonly activeBuild: number | null;
  /** Versions in the loaded definitions. */
  readonly versions: readonly number[];
  readonly builds: readonly BuildStatus[];
}

/** What would have to be done, as data: shown, printed as JSON, executed. */
export interface PlanEntry {
  readonly projection: string;
  readonly version: number;
  /**
   * `live-not-loaded`: readers see a version whose code is not loaded; told with the newest version that is.
   * `stopped`: the live build is of this code and goes on no more; `changes` says which one and why.
   */
  readonly action:
    | 'none'
    | 'first-build'
    | 'rebuild-needed'
    | 'code-changed'
    | 'shape-changed'
    | 'swap-pending'
    | 'live-not-loaded'
    | 'stopped';
  /** What changed, in words. */
  readonly changes: readonly string[];
  /** Events that the build in question has set aside; its newest one of this version. */
  readonly letters: LetterCounts;
  readonly estimate: { readonly events: number; readonly seconds: number | null; readonly bytes: number | null };
  /** Views, functions and grants of others that stand on the public view, and what a swap does to them. */
  readonly dependants: readonly {
    readonly kind: string;
    readonly name: string;
    readonly effect: 'kept' | 'restored' | 'refused';
  }[];
  readonly next: string;
}

export type RebuildPhase = 'waiting' | 'building' | 'indexing' | 'catching-up' | 'ready' | 'swapped' | 'failed';

/** One step of long work; CLI, admin API and console show the same stream. */
export interface RebuildProgress {
  readonly projection: string;
  readonly version: number;
  /** Id of the build. */
  readonly build: number;
  /** 1, 2, 3 … within the version: `fines v1 build 2`. */
  readonly number: number;
  readonly phase: RebuildPhase;
  /** Records read so far and to be read as known now. */
  readonly events: number;
  readonly eventsTotal: number;
  readonly eventsPerSecond: number;
  /** Seconds; null while unknown. */
  readonly secondsLeft: number | null;
  readonly rows: number | null;
  /** Events set aside so far, those behind them included. */
  readonly letters: number;
  /** Running processes that move the build. Where it is 0 the table stands still once this work has ended. */
  readonly runners: number;
  /** Why it failed; or, of a build that is ready, why it did not swap with its group, or who holds its view meanwhile. */
  readonly error: string | null;
}

/** A rebuild that was begun and is left to running processes. */
export interface BegunRebuild {
  readonly build: Build;
  /** Running processes that have the code it was begun with. Where there is none it stays as it is until one starts, or `rebuild` carries it out. */
  readonly processes: readonly ProjectingProcess[];
}

export interface RebuildOptions {
  /** `fines` (its newest version) or `fines@2`. Empty with `all`. */
  readonly projections: readonly string[];
  readonly all?: boolean;
  /** Swap each when it is ready; with `group` all in one transaction. */
  readonly swap?: boolean;
  readonly group?: boolean;
  /** Accepts a log whose begin is gone. */
  readonly fromRetained?: boolean;
  /** At most this many events a second. Default: no limit. */
  readonly maxEventsPerSecond?: number;
  readonly signal?: AbortSignal;
}

export interface SwapResult {
  readonly projection: string;
  readonly from: Build | null;
  readonly to: Build;
  /** How long the locks of view and progress were held, in milliseconds. */
  readonly lockedMs: number;
  readonly position: Position;
  /** Running processes that have the version of `to`. Where it is 0 the table stands still until one that has it starts. */
  readonly runners: number;
  /** Events that the build has set aside which is live now. */
  readonly letters: LetterCounts;
}

export interface VerifyResult {
  readonly projection: string;
  readonly live: Build;
  readonly candidate: Build;
  readonly at: Position;
  /** Events that each has set aside: rows may differ for these alone. */
  readonly lettersLive: LetterCounts;
  readonly lettersCandidate: LetterCounts;
  readonly rowsLive: number;
  readonly rowsCandidate: number;
  readonly added: number;
  readonly removed: number;
  readonly changed: number;
  readonly samples: readonly {
    readonly key: string;
    readonly live: Readonly<Record<string, unknown>> | null;
    readonly candidate: Readonly<Record<string, unknown>> | null;
  }[];
}

/** Operations on projections for an operator's code: what the `kappa projections` command is a thin client of. Injected by its class. */
export abstract class ProjectionOperations {
  abstract status(names?: readonly string[]): Promise<readonly ProjectionStatus[]>;
  abstract plan(names?: readonly string[]): Promise<readonly PlanEntry[]>;
  /** Starts and carries out the work from the loaded definitions; ends when all are ready (or swapped). A later call resumes what was killed. */
  abstract rebuild(options: RebuildOptions): AsyncIterable<RebuildProgress>;
  /** Makes the builds that {@link rebuild} would carry out and returns at once; running processes that have their code build them. */
  abstract beginRebuild(options: Omit<RebuildOptions, 'maxEventsPerSecond' | 'signal'>): Promise<readonly BegunRebuild[]>;
  /** Compares the newest candidate (or `build`) with the live build at one position. */
  abstract verify(
    name: string,
    options?: { readonly build?: number; readonly samples?: number; readonly holdMs?: number },
  ): Promise<VerifyResult>;
  /** Swaps to the newest ready build of each; several swap as one group, in one transaction. */
  abstract swap(
    names: readonly string[],
    options?: {
      readonly version?: number;
      readonly build?: number;
      readonly verify?: boolean;
      /** Also to a build with more dead letters than the live one. Without it: @throws KAPPA_MORE_DEAD_LETTERS. */
      readonly withDeadLetters?: boolean;
    },
  ): Promise<readonly SwapResult[]>;
  /** Back to the newest standby build. @throws KAPPA_BUILD_BEHIND, KAPPA_BUILD_ORPHANED with the distance, unless `stale`. */
  abstract rollback(
    names: readonly string[],
    options?: { readonly stale?: boolean; readonly build?: number },
  ): Promise<readonly SwapResult[]>;
  /** Ends standby builds (all of a projection, or one): they project no longer and cannot be rolled back to. */
  abstract retire(name: string, options?: { readonly build?: number }): Promise<readonly Build[]>;
  /** Drops tables of retired, aborted or failed builds. */
  abstract drop(name: string, options?: { readonly build?: number }): Promise<readonly Build[]>;
  /** Records that changed code means the same, so that no rebuild is asked for. */
  abstract accept(name: string, options?: { readonly version?: number; readonly by?: string }): Promise<Build>;
}
