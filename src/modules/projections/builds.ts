import type { Queryable } from '../../database/database.js';
import type { ProgressMove, Writes } from '../../database/partition-progress.js';
import type { LogIdentity, TopicDescription } from '../../log/event-log.js';
import type { PartitionKey } from '../../kernel/position.js';
import type { AdvanceOutcome, Build, BuildError, BuildShape, BuildState, Claim, PartitionProgress } from './build.js';

export interface NewBuild {
  readonly projection: string;
  readonly version: number;
  readonly shape: BuildShape;
  readonly code: string;
  readonly swapWhenReady: boolean;
  readonly swapGroup: string | null;
  readonly state: 'planned' | 'building';
  /** One progress line is made per partition, at its begin. */
  readonly topics: readonly { readonly description: TopicDescription; readonly begins: readonly number[] }[];
  readonly log: LogIdentity;
}

/** Builds, their states and their progress in PostgreSQL. All that changes a state goes through `move`. */
export interface Builds {
  /** The next build of a version: its number, its stored table name, its progress lines, in one transaction. */
  create(build: NewBuild): Promise<Build>;
  get(id: number): Promise<Build | null>;
  /** Of one projection or of all, newest last; dropped ones left out. */
  list(projection?: string): Promise<readonly Build[]>;
  /** The build that the pointer names. */
  active(projection: string): Promise<Build | null>;

  /**
   * The one function that moves states; see the table in build.ts. Runs in the given transaction where there is one.
   * @throws KAPPA_BUILD_STATE when the build is in none of the states that may move there.
   */
  move(
    build: number,
    to: BuildState,
    options?: { readonly error?: BuildError | null; readonly standbyUntil?: Date | null; readonly on?: Queryable },
  ): Promise<Build>;
  /** Sets or clears what stopped a build that keeps its state (a live one). */
  setError(build: number, error: BuildError | null): Promise<void>;

  /** Records that this code means the same as what the build was built with; both count as its code from then on. */
  accept(build: number, code: string, facts: Readonly<Record<string, unknown>>): Promise<Build>;

  /** Lets a build swap by itself when it is ready, together with those of its group. */
  swapWhenReady(build: number, group: string | null): Promise<Build>;
  /** All builds that ever belonged to a swap group, newest last; dropped ones too. */
  group(group: string): Promise<readonly Build[]>;
  /** Lets what is left of a group swap no more by itself, for these builds of it ended. Returns whom it concerned: none where it was done before. */
  endGroup(group: string, because: readonly Build[]): Promise<readonly Build[]>;

  progress(build: number): Promise<readonly PartitionProgress[]>;
  /** One UPDATE that raises the epoch and returns the offsets to go on from. Unknown partitions are an error. */
  claim(build: number, partitions: readonly PartitionKey[]): Promise<readonly Claim[]>;
  /**
   * The compare-and-set of offset and epoch, first statement of a batch's transaction. All lines move or the caller rolls back.
   * Lines are locked in (topic, partition) order.
   */
  advance(on: Queryable, build: number, moves: readonly ProgressMove[]): Promise<AdvanceOutcome>;
  /** The same in one statement with what the batch writes; a transaction of its own. Nothing is written unless it advanced. */
  advanceAndWrite(on: Queryable, build: number, moves: readonly ProgressMove[], writes: Writes): Promise<AdvanceOutcome>;

  /**
   * Whether the owner of a partition still is its owner, at the offset it believes; first statement of a transaction that moves
   * nothing. While the line is held, for a comparison or a swap, the rows must stay as they are.
   */
  stands(on: Queryable, build: number, at: Omit<ProgressMove, 'to'>): Promise<AdvanceOutcome>;

  /** Takes or extends the lease of who carries a rebuild out; false while another process holds it. For liveness only. */
  lease(build: number, worker: string, forMs: number): Promise<boolean>;
  release(build: number, worker: string): Promise<void>;
  /** True while somebody holds the lease. */
  isLeased(build: number): Promise<boolean>;

  audit(entry: {
    readonly projection: string;
    readonly build: number | null;
    readonly action: string;
    readonly facts: Readonly<Record<string, unknown>>;
    readonly on?: Queryable;
  }): Promise<void>;
}
