import type { JournalLine } from '../actors/journal.js';

/** An event as it stands in its stream, or in the log's topic. */
export interface LoggedEvent {
  readonly topic: string;
  readonly partition: number;
  /** Of the log: what positions count. */
  readonly offset: number;
  /** `/order/17` */
  readonly stream: string;
  readonly version: number;
  readonly eventId: string;
  readonly type: string;
  /** Of the command that made it. */
  readonly commandId: string;
  readonly data: Readonly<Record<string, unknown>>;
}

export type Row = Readonly<Record<string, string | number | null>>;
/** `topic/partition` → next offset. */
export type Offsets = Readonly<Record<string, number>>;

/** A build's table and its progress, of one snapshot. */
export interface TableState {
  readonly at: number;
  readonly build: number;
  readonly projection: string;
  readonly version: number;
  readonly position: Offsets;
  readonly rows: readonly Row[];
}

/** A build's progress, noted when it differs from what was noted before. */
export interface ProgressNote {
  readonly at: number;
  readonly build: number;
  readonly projection: string;
  /** Whether readers are shown this build. */
  readonly live: boolean;
  readonly next: Offsets;
  /** Who owns: `topic/partition` → epoch. */
  readonly epochs: Offsets;
}

/** One answer of a public view, noted when it differs from the one before. */
export interface ViewNote {
  readonly at: number;
  readonly projection: string;
  /** The versions whose rows were in it. */
  readonly labels: readonly string[];
  /** How many events its rows hold; null where rows are deleted, so that it says nothing. */
  readonly folded: number | null;
}

/** Everything that is known of a run when it is over. */
export interface Evidence {
  readonly journal: readonly JournalLine[];
  /** The streams: what commands appended. */
  readonly streams: readonly LoggedEvent[];
  /** The log's topics, read committed from begin to end. */
  readonly topics: readonly LoggedEvent[];
  readonly tables: readonly TableState[];
  readonly progress: readonly ProgressNote[];
  readonly views: readonly ViewNote[];
}

export type ProblemKind = 'lost' | 'doubled' | 'reordered' | 'mixed';

export interface Problem {
  readonly kind: ProblemKind;
  readonly what: string;
}
