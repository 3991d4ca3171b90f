import { setTimeout as delay } from 'node:timers/promises';
import { isOutage, sqlState } from '../../database/database-errors.js';
import type { Database } from '../../database/database.js';
import { RetriableError, UnknownOutcomeError } from '../../kernel/errors.js';
import type { PartitionKey } from '../../kernel/position.js';
import type { AppendSignal } from '../../log/event-log.js';
import { isDeadlock, isRefusedAlways, rejectAll, rejectUnknown } from './append-failures.js';
import type { AppendFate } from './append-fate.js';
import { Appended, recordsOf } from './appended-records.js';
import { AppendQueue, PendingAppend } from './append-queue.js';
import type { AppendOutcome, AppendRequest } from './append-request.js';
import { LATER } from './append-statement.js';
import { GroupPace } from './group-pace.js';
import { GroupSender } from './group-sender.js';

export interface AppenderLimits {
  /**
   * Groups under way at a time, at most. Default 3. A second goes beside the first where enough commands wait, or the first is late,
   * so that the database writes while this process decides; a third where one takes long.
   */
  readonly concurrentGroups?: number;
  /** Commands of one group at most. Default 512. */
  readonly groupCommands?: number;
  /** Bytes of one group at most; a larger command goes alone. Default 4 MiB. */
  readonly groupBytes?: number;
  /** How long an answer is waited for before the connection is given up. Default 15,000; longer than the lock timeout. */
  readonly answerTimeoutMs?: number;
  /** How long the outcome of an append is looked up when the connection was lost. Default 20,000. */
  readonly lookUpMs?: number;
}

/** Groups that may wait for a held partition at a time, beside the others: each occupies a connection. */
const SLOW_GROUPS = 2;
const LONGEST_PAUSE_MS = 1_000;
const DEADLOCK_RETRIES = 5;

/**
 * Group commit: commands that arrive while a group is being committed make up the next one. Each command of a group is judged
 * for itself and gets its own outcome; what fails a whole group (a lock, a connection) is taken apart until it fails none but
 * its own.
 *
 * When a connection is lost the append is sent again, unchanged: the command ids are looked up first, under the partition's
 * lock, so that what has taken effect is answered and what has not is appended, also when the first attempt is still waiting
 * in the server. Nothing is decided again before that is known.
 */
export class Appender {
  readonly #queue = new AppendQueue();
  readonly #sender: GroupSender;
  readonly #limits: Required<AppenderLimits>;
  readonly #pace: GroupPace;
  /** Groups of slow partitions that are under way, beside the others. */
  #slow = 0;
  #scheduled = false;
  #idle: (() => void)[] = [];

  constructor(
    database: Pick<Database, 'connect' | 'schema'>,
    private readonly signal: AppendSignal,
    limits: AppenderLimits = {},
  ) {
    this.#limits = {
      concurrentGroups: 3,
      groupCommands: 512,
      groupBytes: 4 * 1024 * 1024,
      answerTimeoutMs: 15_000,
      lookUpMs: 20_000,
      ...limits,
    };
    this.#sender = new GroupSender(database, this.#limits.answerTimeoutMs);
    this.#pace = new GroupPace(this.#limits.concurrentGroups, () => this.#schedule());
  }

  /**
   * @throws RetriableError when nothing was written; UnknownOutcomeError when the connection was lost and the database stayed away
   *   or could not tell what became of it; what the database refuses the data with, also when its first answer was lost.
   */
  append(request: AppendRequest): Promise<AppendOutcome> {
    return new Promise((resolve, reject) => {
      this.#queue.add(new PendingAppend(request, resolve, reject));
      this.#schedule();
    });
  }

  /** Resolves when nothing is under way. */
  async idle(): Promise<void> {
    if (this.#isIdle) return;
    await new Promise<void>((resolve) => this.#idle.push(resolve));
  }

  /** Not at once: all that goes on in this turn of the event loop, promises included, belongs to one group. */
  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    process.nextTick(() => {
      this.#scheduled = false;
      while (this.#pace.mayBegin(this.#queue.ready)) if (!this.#start(false)) break;
      while (this.#slow < SLOW_GROUPS) if (!this.#start(true)) break;
    });
  }

  /** Starts the next group, of a slow partition or of the others, and says whether there was one. */
  #start(slow: boolean): boolean {
    const { groupCommands: maxCommands, groupBytes: maxBytes } = this.#limits;
    const enoughCommands = slow ? maxCommands : this.#pace.enough(this.#queue.length);
    const group = this.#queue.take({ maxCommands, maxBytes, enoughCommands }, slow);
    if (group.length === 0) return false;
    const end = slow ? this.#beginSlow() : this.#pace.begin();
    void this.#commit(group).finally(() => {
      end();
      this.#queue.release(group);
      if (!this.#queue.isEmpty) this.#schedule();
      else if (this.#isIdle) for (const resolve of this.#idle.splice(0)) resolve();
    });
    return true;
  }

  #beginSlow(): () => void {
    this.#slow += 1;
    return () => (this.#slow -= 1);
  }

  get #isIdle(): boolean {
    return this.#queue.isEmpty && this.#pace.isIdle && this.#slow === 0;
  }

  /** Never rejects: each command's own promise is told. */
  async #commit(group: readonly PendingAppend[]): Promise<void> {
    this.#queue.putBack(await this.#settle(group));
  }

  /** Returns those that are to be sent later, in their order. */
  async #settle(group: readonly PendingAppend[]): Promise<readonly PendingAppend[]> {
    try {
      return this.#tell(group, await this.#send(group));
    } catch (error) {
      return this.#recover(group, error);
    }
  }

  #tell(group: readonly PendingAppend[], outcomes: readonly (AppendOutcome | typeof LATER)[]): readonly PendingAppend[] {
    const ends: Record<PartitionKey, number> = {};
    const later: PendingAppend[] = [];
    const appended: Appended[] = [];
    group.forEach((pending, index) => {
      const outcome = outcomes[index];
      if (outcome === undefined || outcome === LATER) {
        later.push(pending);
        return;
      }
      const key = pending.request.partitionKey;
      if ('nextOffset' in outcome) ends[key] = Math.max(ends[key] ?? 0, outcome.nextOffset);
      if (outcome.outcome === 'appended') appended.push(new Appended(pending.request, outcome));
      this.#queue.markSlow(key, false);
      pending.resolve(outcome);
    });
    this.signal.appended(ends, () => appended.flatMap(recordsOf));
    return later;
  }

  async #recover(group: readonly PendingAppend[], error: unknown): Promise<readonly PendingAppend[]> {
    const parts = byPartition(group);
    if (error instanceof UnknownOutcomeError) {
      const until = performance.now() + this.#limits.lookUpMs;
      return (await Promise.all(parts.map((part) => this.#lookUp(part, error, until)))).flat();
    }
    if (isDeadlock(error)) return this.#again(group, error);
    if (sqlState(error) === '55P03') {
      for (const { request } of group) this.#queue.markSlow(request.partitionKey, true);
      if (parts.length > 1) return group;
    } else if (sqlState(error) !== null && group.length > 1) {
      // One command's data that the database refuses: halve until it stands alone.
      const middle = Math.ceil(group.length / 2);
      const later = await this.#settle(group.slice(0, middle));
      return [...later, ...(await this.#settle(group.slice(middle)))];
    }
    rejectAll(group, error);
    return [];
  }

  /** Only transactions of others, which lock in another order, can bring this about. */
  async #again(group: readonly PendingAppend[], first: unknown): Promise<readonly PendingAppend[]> {
    let error = first;
    for (let attempt = 1; attempt <= DEADLOCK_RETRIES && isDeadlock(error); attempt += 1) {
      await delay(Math.random() * 10 * attempt);
      try {
        return this.#tell(group, await this.#send(group));
      } catch (next) {
        error = next;
      }
    }
    if (!isDeadlock(error)) return this.#recover(group, error);
    rejectAll(group, error);
    return [];
  }

  /** The connection was lost after the append was sent: finds out what became of it, or appends it now. */
  async #lookUp(given: readonly PendingAppend[], lost: UnknownOutcomeError, until: number): Promise<readonly PendingAppend[]> {
    // They were sent as well: of them, too, nobody can say more.
    rejectUnknown(
      given.filter(({ request }) => request.fate.isLost()),
      'what it was decided on has failed since',
      lost.cause,
    );
    const group = given.filter(({ request }) => !request.fate.isLost());
    if (group.length === 0) return [];
    for (let pauseMs = 25; performance.now() < until; pauseMs = Math.min(pauseMs * 2, LONGEST_PAUSE_MS)) {
      try {
        return this.#tell(group, await this.#send(group));
      } catch (error) {
        const passes = error instanceof UnknownOutcomeError || error instanceof RetriableError || isOutage(error);
        if (passes) await delay(pauseMs * (0.5 + Math.random() / 2));
        else return this.#lookUpRefused(group, lost, until, error);
      }
    }
    rejectUnknown(group, 'the database stayed away or could not write', lost.cause);
    return [];
  }

  /** The database answers, and refuses to append again: one command's data, or what it cannot do for any. */
  async #lookUpRefused(
    group: readonly PendingAppend[],
    lost: UnknownOutcomeError,
    until: number,
    error: unknown,
  ): Promise<readonly PendingAppend[]> {
    if (sqlState(error) !== null && group.length > 1) {
      const middle = Math.ceil(group.length / 2);
      const later = await this.#lookUp(group.slice(0, middle), lost, until);
      return [...later, ...(await this.#lookUp(group.slice(middle), lost, until))];
    }
    // The first attempt brought the same data: it was refused as well, or will be, should it still wait in the server.
    if (isRefusedAlways(error)) rejectAll(group, error);
    else rejectUnknown(group, `the look-up failed: ${error instanceof Error ? error.message : String(error)}`, error);
    return [];
  }

  /**
   * Sends what is not decided on an append that has failed, nor on one that is still to be sent.
   * @throws UnknownOutcomeError when the connection is lost after the statement was given to it.
   */
  async #send(group: readonly PendingAppend[]): Promise<readonly (AppendOutcome | typeof LATER)[]> {
    const sent = new Set<AppendFate>();
    const verdicts = group.map(({ request: { fate } }) => {
      if (fate.isLost()) return 'unfounded';
      if (fate.waitsForOther(sent)) return LATER;
      sent.add(fate);
      return null;
    });
    const requests = group.flatMap(({ request }, index) => (verdicts[index] === null ? [request] : []));
    const outcomes = requests.length === 0 ? [] : await this.#sender.send(requests);
    let next = 0;
    return verdicts.map((verdict) => {
      if (verdict === null) return outcomes[next++] ?? LATER;
      return verdict === LATER ? LATER : { outcome: verdict };
    });
  }
}

function byPartition(group: readonly PendingAppend[]): readonly (readonly PendingAppend[])[] {
  const parts = new Map<PartitionKey, PendingAppend[]>();
  for (const pending of group) {
    const part = parts.get(pending.request.partitionKey);
    if (part) part.push(pending);
    else parts.set(pending.request.partitionKey, [pending]);
  }
  return [...parts.values()];
}
