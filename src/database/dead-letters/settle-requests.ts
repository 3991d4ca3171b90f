import { recordBytes, type LogRecord } from '../../kernel/record.js';
import type { Queryable } from '../database.js';
import { placeText, type DeadLetter, type Lane, type LetterPlace, type LetterReason } from './dead-letter.js';
import type { DeadLetterStore } from './dead-letter-store.js';
import type { ParkedKeys } from './parked-keys.js';

/** The owner of partitions, as far as it takes in what had been set aside. */
export interface LaneOwner {
  /** `build:7` */
  readonly name: string;
  owns(topic: string, partition: number): boolean;
  /** Null when the log has the record no more. */
  read(place: LetterPlace): Promise<LogRecord | null>;
  /**
   * Applies records of a lane in their order, in one transaction or in several, each under the lock of the partition's progress and
   * only while it is still the owner; `settle` is part of each, with the records that it applies (none where none are given).
   */
  apply(
    lane: Lane,
    records: readonly LogRecord[],
    settle: (on: Queryable, applied: readonly LogRecord[]) => Promise<void>,
  ): Promise<LaneOutcome>;
}

export interface LaneOutcome {
  /** False when it is not the owner any more, or must not write now: nothing more was done, and it is to be tried later. */
  readonly done: boolean;
  /** The record that is at fault again: what stands before it is applied. */
  readonly failure: { readonly record: LogRecord; readonly reason: LetterReason } | null;
}

/** Records of one transaction, and their bytes. */
const CHUNK = 100;
const CHUNK_BYTES = 8 * 1024 * 1024;

const GONE = (place: LetterPlace): LetterReason => ({
  code: 'KAPPA_RECORD_GONE',
  message: `the log has ${placeText(place)} no more: retention has removed it. It can only be discarded.`,
  stack: null,
});

/**
 * Carries out what was asked for: a lane's letter and its followers, in log order, until one fails again or the lane is free. The
 * owner alone does so, between two batches of its own; so it is never so that a record waits while a later one of its key is applied.
 */
export async function settleRequests(store: DeadLetterStore, parked: ParkedKeys, owner: LaneOwner): Promise<void> {
  for (const lane of await store.requested(owner.name)) {
    if (owner.owns(lane.topic, lane.partition)) await settleLane(store, parked, owner, lane);
  }
  parked.counted(await store.countOpen(owner.name));
}

async function settleLane(store: DeadLetterStore, parked: ParkedKeys, owner: LaneOwner, lane: Lane): Promise<void> {
  for (;;) {
    const waiting = await store.lane(owner.name, lane, CHUNK);
    const [first] = waiting;
    if (!first) {
      parked.free(lane);
      return;
    }
    if (first.request === null) return;
    const done =
      first.request === 'discard'
        ? (await owner.apply(lane, [], (on) => store.settle(on, lane, [first], 'discarded'))).done
        : await takeIn(store, owner, lane, waiting);
    if (!done) return;
  }
}

/** False when it is to be tried later. */
async function takeIn(store: DeadLetterStore, owner: LaneOwner, lane: Lane, waiting: readonly DeadLetter[]): Promise<boolean> {
  const records: LogRecord[] = [];
  let gone: DeadLetter | null = null;
  let bytes = 0;
  for (const letter of waiting) {
    const record = await owner.read(letter);
    if (!record) {
      gone = letter;
      break;
    }
    records.push(record);
    bytes += recordBytes(record);
    if (bytes > CHUNK_BYTES) break;
  }
  const letterAt = (offset: number): DeadLetter | null => waiting.find((letter) => letter.offset === offset) ?? null;
  if (records.length > 0) {
    const { done, failure } = await owner.apply(lane, records, (on, applied) =>
      store.settle(
        on,
        lane,
        applied.flatMap(({ offset }) => letterAt(offset) ?? []),
        'applied',
      ),
    );
    const failed = failure && letterAt(failure.record.offset);
    if (failed) return (await owner.apply(lane, [], (on) => store.fail(on, failed.id, failure.reason))).done;
    if (!done) return false;
  }
  if (!gone) return true;
  const { id } = gone;
  const reason = GONE(gone);
  return (await owner.apply(lane, [], (on) => store.fail(on, id, reason))).done;
}
