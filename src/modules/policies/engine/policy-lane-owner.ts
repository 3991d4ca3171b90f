import type { Queryable } from '../../../database/database.js';
import type { Lane, LetterPlace } from '../../../database/dead-letters/dead-letter.js';
import type { LaneOutcome, LaneOwner } from '../../../database/dead-letters/settle-requests.js';
import type { LogRecord } from '../../../kernel/record.js';
import { readRecord } from '../../../log/read-record.js';
import { handleEvent, messageOf, passes } from './handle-event.js';
import type { OwnedPartitions } from './owned-partitions.js';
import { letterReason } from './policy-letters.js';
import type { PolicyRunnerContext } from './policy-runner.js';

const NOT_NOW: LaneOutcome = { done: false, failure: null };
const DONE: LaneOutcome = { done: true, failure: null };

/**
 * Takes in what was set aside, event by event: the event is handled, then its letter is settled in a transaction that checks the
 * epoch. Between the two a kill repeats the event, and its commands take effect once as always.
 */
export class PolicyLaneOwner implements LaneOwner {
  constructor(
    private readonly context: PolicyRunnerContext,
    readonly name: string,
    private readonly owned: OwnedPartitions,
  ) {}

  owns(topic: string, partition: number): boolean {
    return this.owned.epoch(topic, partition) !== null;
  }

  async read(place: LetterPlace): Promise<LogRecord | null> {
    return readRecord(this.context.log, place);
  }

  async apply(
    lane: Lane,
    records: readonly LogRecord[],
    settle: (on: Queryable, applied: readonly LogRecord[]) => Promise<void>,
  ): Promise<LaneOutcome> {
    if (records.length === 0) return (await this.#settle(lane, (on) => settle(on, []))) ? DONE : NOT_NOW;
    for (const record of records) {
      try {
        await handleEvent(record, this.context);
      } catch (error) {
        if (!passes(error)) return { done: true, failure: { record, reason: letterReason(error) } };
        this.context.logger.warn(`${this.context.plan.label}: a dead letter waits: ${messageOf(error)}`);
        return NOT_NOW;
      }
      if (!(await this.#settle(lane, (on) => settle(on, [record])))) return NOT_NOW;
    }
    return DONE;
  }

  /** False when somebody else owns the partition. */
  async #settle({ topic, partition }: Lane, settle: (on: Queryable) => Promise<void>): Promise<boolean> {
    const { database, progress, plan } = this.context;
    const epoch = this.owned.epoch(topic, partition);
    if (epoch === null) return false;
    return database.transaction(async (on) => {
      const owns = await progress.owns(on, plan.definition.name, { topic, partition, epoch });
      if (owns) await settle(on);
      return owns;
    });
  }
}
