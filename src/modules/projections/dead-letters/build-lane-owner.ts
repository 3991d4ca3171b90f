import type { Queryable } from '../../../database/database.js';
import { type Lane, type LetterPlace } from '../../../database/dead-letters/dead-letter.js';
import { settleRequests, type LaneOutcome, type LaneOwner } from '../../../database/dead-letters/settle-requests.js';
import type { LogRecord } from '../../../kernel/record.js';
import { readRecord } from '../../../log/read-record.js';
import type { AdvanceOutcome } from '../build.js';
import { applyUpToFailure } from '../runner/batch-parts.js';
import { BatchPart } from '../runner/batch-part.js';
import { foldGuarded, type BuildWork } from '../runner/fold-batch.js';
import type { RunnerContext } from '../runner/runner-context.js';
import { letterReason, type BuildLetters } from './build-letters.js';

/** What somebody owns of a partition: under which epoch, and where it stands. */
export interface OwnedAt {
  readonly epoch: number;
  readonly next: number;
}

/** Carries out what was asked for the dead letters of a build, in the partitions that are owned here. */
export async function settleBuildRequests(
  context: Pick<RunnerContext, 'database' | 'builds' | 'log'>,
  work: BuildWork,
  letters: BuildLetters,
  ownedAt: (topic: string, partition: number) => OwnedAt | null,
): Promise<void> {
  await settleRequests(letters.store, letters.parked, new BuildLaneOwner(context, work, letters.owner, ownedAt));
}

/** The owner of a build's partitions: rows, the letter's end and the check of the epoch are one transaction. */
class BuildLaneOwner implements LaneOwner {
  constructor(
    private readonly context: Pick<RunnerContext, 'database' | 'builds' | 'log'>,
    private readonly work: BuildWork,
    readonly name: string,
    private readonly ownedAt: (topic: string, partition: number) => OwnedAt | null,
  ) {}

  owns(topic: string, partition: number): boolean {
    return this.ownedAt(topic, partition) !== null;
  }

  async read(place: LetterPlace): Promise<LogRecord | null> {
    return readRecord(this.context.log, place);
  }

  async apply(
    { topic, partition }: Lane,
    records: readonly LogRecord[],
    settle: (on: Queryable, applied: readonly LogRecord[]) => Promise<void>,
  ): Promise<LaneOutcome> {
    const { database, builds } = this.context;
    const owned = this.ownedAt(topic, partition);
    if (!owned) return { done: false, failure: null };
    const { epoch, next } = owned;
    const { build } = this.work;
    const transact = (parts: readonly BatchPart[]): Promise<AdvanceOutcome> => {
      const some = parts.flatMap((part) => part.records);
      return foldGuarded(database, this.work, some, async (connection) => {
        const outcome = await builds.stands(connection, build.id, { topic, partition, epoch, from: next });
        if (outcome === 'advanced') await settle(connection, some);
        return outcome;
      });
    };
    const [first] = records;
    const last = records.at(-1);
    if (!first || !last) return { done: (await transact([])) === 'advanced', failure: null };
    const lane = new BatchPart({ topic, partition, epoch, from: first.offset, to: last.offset + 1 }, records);
    const { outcome, failure } = await applyUpToFailure(transact, [lane]);
    if (outcome !== 'advanced') return { done: false, failure: null };
    return { done: true, failure: failure && { record: failure.record, reason: letterReason(failure) } };
  }
}
