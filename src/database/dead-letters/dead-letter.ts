import type { LogRecord } from '../../kernel/record.js';

/**
 * What became of a record that its owner moved over without taking it in. One owner alone settles the records of a partition, under
 * the lock of its progress:
 *
 * | from     | to                  | by |
 * |---|---|---|
 * | (none)   | letter              | the record is at fault, also after it was tried again |
 * | (none)   | follower            | a record of its key stands before it |
 * | (none)   | discarded           | inherited: somebody discarded it for an earlier build |
 * | letter   | applied             | a retry took it in |
 * | letter   | discarded           | somebody said, with a reason, that it is not to count |
 * | follower | applied             | the records before it are settled, and it was taken in |
 * | follower | letter              | the records before it are settled, and it is at fault itself |
 */
export type LetterState = 'letter' | 'follower' | 'applied' | 'discarded';

/** What somebody asked for; the owner carries it out. */
export type LetterRequest = 'retry' | 'discard';

/** Where a record stands, in log offsets. */
export interface LetterPlace {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
}

/** Why a record could not be taken in. */
export interface LetterReason {
  readonly code: string;
  readonly message: string;
  readonly stack: string | null;
}

/** Records of one partition that are applied in their order and wait for each other: those of one key, or one record without key. */
export interface Lane {
  readonly topic: string;
  readonly partition: number;
  readonly key: string | null;
  /** Of the record, where it has no key. */
  readonly offset: number | null;
}

/** A record that is to be set aside: as a letter where it has a reason, else as a follower. */
export interface Aside {
  readonly record: LogRecord;
  readonly reason: LetterReason | null;
  /** How often it was tried. */
  readonly attempts: number;
}

/** A record that was set aside. The record itself stands in the log, at its place. */
export interface DeadLetter extends LetterPlace {
  readonly id: number;
  /** Who moved over it: `build:7`. */
  readonly owner: string;
  readonly key: string | null;
  readonly tenant: string | null;
  readonly type: string | null;
  readonly state: LetterState;
  /** Null in general. */
  readonly request: LetterRequest | null;
  /** Null for a follower that was never tried. */
  readonly reason: LetterReason | null;
  readonly attempts: number;
  /** ISO 8601, as all times here. */
  readonly firstAt: string;
  /** When it failed last, or was parked. */
  readonly lastAt: string;
  /** Who asked last for a retry or a discard, and why. */
  readonly requestedBy: string | null;
  readonly requestedWhy: string | null;
  readonly requestedAt: string | null;
  readonly settledAt: string | null;
  /** The letter whose discard was inherited. */
  readonly inheritedFrom: number | null;
}

/** How many records of an owner are set aside; both stay until they are settled. */
export interface LetterCounts {
  readonly letters: number;
  readonly followers: number;
  /** Discarded on purpose, inherited ones included. */
  readonly discarded: number;
}

export const NO_LETTERS: LetterCounts = Object.freeze({ letters: 0, followers: 0, discarded: 0 });

/** Records that are still to be settled. */
export function openOf({ letters, followers }: LetterCounts): number {
  return letters + followers;
}

/** `fines/3:17` */
export function placeText({ topic, partition, offset }: LetterPlace): string {
  return `${topic}/${partition}:${offset}`;
}

export function placeOf({ topic, partition, offset }: LogRecord): LetterPlace {
  return { topic, partition, offset };
}

export function laneOf({ topic, partition, key, offset }: LetterPlace & { readonly key: string | null }): Lane {
  return { topic, partition, key: key === null ? null : storable(key), offset: key === null ? offset : null };
}

/** Text as PostgreSQL can hold it: what stands in a record or a stack comes from outside. */
export function storable(text: string): string {
  return text.replaceAll('\0', '\uFFFD').toWellFormed();
}
