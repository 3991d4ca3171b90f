import { setMaxListeners } from 'node:events';
import { Backoff, pause } from '../../../database/backoff.js';
import type { Database } from '../../../database/database.js';
import type { DeadLetterOptions } from '../../../database/dead-letters/letter-policy.js';
import { settleRequests } from '../../../database/dead-letters/settle-requests.js';
import { KappaError } from '../../../kernel/errors.js';
import type { Logger } from '../../../kernel/logger.js';
import { offset, topicName } from '../../../kernel/names.js';
import { partitionKey, type PartitionKey, type Position } from '../../../kernel/position.js';
import { untilTogether } from '../../../kernel/timing.js';
import type { EventLog, GroupMember, LogBatch } from '../../../log/event-log.js';
import { ownGroupPrefix } from '../../../log/postgres/log-identity.js';
import { policyGroup } from '../policy-group.js';
import type { PolicyError, PolicyProgress } from '../policy-progress.js';
import { checkPolicyLog } from './check-policy-log.js';
import { EventHandler } from './event-handler.js';
import { messageOf, stoppingError, type ReactionContext } from './handle-event.js';
import { inLanes, lanesOf } from './lanes.js';
import { OwnedPartitions } from './owned-partitions.js';
import { PolicyLaneOwner } from './policy-lane-owner.js';
import { PolicyLetters, TOO_MANY_LETTERS } from './policy-letters.js';
import { ProgressCommits } from './progress-commits.js';

export interface PolicyRunnerContext extends ReactionContext {
  readonly database: Database;
  readonly log: EventLog;
  readonly progress: PolicyProgress;
  readonly logger: Logger;
  /** What becomes of events that fail, where the policy does not say so itself. */
  readonly deadLetters: DeadLetterOptions | null;
}

/** Small, so that a member that leaves, or loses its partitions, has little under way. */
const MOST_RECORDS = 500;
/** What comes ends the wait, and so does a change of the group. */
const IDLE_WAIT_MS = 5_000;
/** Progress of records that nobody handles is committed at most this often, and never later than this. */
const SKIPPED_MS = 250;
/** How often a halted policy looks whether it may go on. */
const HALTED_LOOK_MS = 1_000;
/** How often a policy with dead letters looks whether something is asked for them. */
const LETTERS_MS = 250;

/**
 * Runs one policy as one member of its consumer group `<prefix>.policy-<name>`. Events of one key are handled in order, those of
 * different keys at a time; progress is committed behind them by compare-and-set of offset and epoch. A former owner that still
 * handles an event does no harm: its commands bear the ids that the new owner's bear, and it can commit no progress.
 *
 * What passes by itself is waited out. An event at fault is tried again and then set aside as a dead letter, and so are later ones
 * of its key; neighbours go on. Where the policy says so, or too many stand aside, it halts at the event instead: what is handled
 * beside it is committed, progress stands at it, the error is stored; it goes on at the next start, or when letters are settled.
 */
export class PolicyRunner {
  readonly #stopping = new AbortController();
  readonly #owned = new OwnedPartitions();
  readonly #backoff = new Backoff();
  readonly #letters: PolicyLetters;
  readonly #handler: EventHandler;
  #lettersAt = 0;
  #commits: ProgressCommits;
  #claimAnew = false;
  #warned = false;
  #halted: PolicyError | null = null;
  /** What halted it in another process, or before this start. */
  #stored: PolicyError | null = null;
  #done: Promise<unknown> | null = null;

  constructor(private readonly context: PolicyRunnerContext) {
    // Each event that waits listens to it.
    setMaxListeners(context.plan.definition.concurrency + 10, this.#stopping.signal);
    this.#letters = new PolicyLetters(context);
    this.#commits = this.#newCommits();
    this.#handler = new EventHandler(context, {
      letters: this.#letters,
      commits: () => this.#commits,
      close: (record) => {
        this.#owned.close(record);
        this.#commits.soon();
      },
      warn: (what, attempts) => this.#warn(what, attempts),
    });
  }

  get name(): string {
    return this.context.plan.definition.name;
  }

  /** What halted it; null while it runs. */
  get halted(): PolicyError | null {
    return this.#halted;
  }

  /** Events that are being handled now, in words. */
  get underWay(): readonly string[] {
    return this.#handler.underWay;
  }

  start(): void {
    this.#done ??= this.#run(this.#stopping.signal);
  }

  /** Ends the events under way, commits, gives the partitions back. May be called twice. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#done;
  }

  async #run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        if (this.#halted) await this.#untilCleared(signal);
        else await this.#follow(signal);
      } catch (error) {
        if (signal.aborted) return;
        if (isFinal(error)) await this.#halt(stoppingError(error, new Date()), signal);
        else await this.#waitOut(error, signal);
      }
    }
  }

  async #follow(signal: AbortSignal): Promise<void> {
    const { log, database, plan, progress } = this.context;
    await checkPolicyLog(plan, progress, log);
    const member = await log.join({
      group: policyGroup(await ownGroupPrefix(database), this.name),
      topics: plan.topics,
      assigned: (keys) => this.#claim(keys, signal),
      revoked: async (keys) => this.#drop(keys),
    });
    try {
      while (!signal.aborted && !this.#halted) await this.#turn(member, signal);
    } finally {
      // What cannot be committed now is handled again by the next owner; its commands have taken effect.
      await this.#commits.flush().catch(() => undefined);
      await member.leave();
      this.#drop(this.#owned.keys);
    }
  }

  /** One poll and what follows from it. Outages are waited out here, without leaving the group. */
  async #turn(member: GroupMember, signal: AbortSignal): Promise<void> {
    try {
      if (this.#claimAnew) await this.#recover(member, signal);
      await this.#settleLetters();
      await this.#take(await member.poll({ maxRecords: MOST_RECORDS, maxWaitMs: this.#waitMs(), signal }), signal);
      if (!this.#claimAnew) this.#backoff.reset();
    } catch (error) {
      if (signal.aborted || isFinal(error)) throw error;
      this.#claimAnew = true;
      await this.#waitOut(error, signal);
    }
  }

  async #take(batches: readonly LogBatch[], signal: AbortSignal): Promise<void> {
    const { plan } = this.context;
    const records = this.#owned.open(batches, (record) => plan.wants(record));
    if (records.length === 0 && !this.#skippedDue()) return;
    const { concurrency } = plan.definition;
    const errors: PolicyError[] = [];
    const over = (): boolean => signal.aborted || this.#commits.fenced || errors.length > 0;
    await inLanes(lanesOf(records), concurrency, over, async (record) => {
      const error = await this.#handler.handle(record, signal);
      if (error) errors.push(error);
      return error === null;
    });
    await this.#commits.flush();
    const [error] = errors;
    if (this.#commits.fenced) {
      this.#claimAnew = true;
      await this.#backoff.wait(signal);
    } else if (error) await this.#halt(error, signal);
    else await this.#clearError();
  }

  /** Between two batches: what was asked for dead letters is done by the owner alone. */
  async #settleLetters(): Promise<void> {
    if (this.#letters.parked.open === 0 || Date.now() - this.#lettersAt < LETTERS_MS) return;
    const { store, parked, owner } = this.#letters;
    await settleRequests(store, parked, new PolicyLaneOwner(this.context, owner, this.#owned));
    this.#lettersAt = Date.now();
  }

  #drop(keys: readonly PartitionKey[]): void {
    this.#owned.drop(keys);
    this.#letters.parked.drop(keys);
  }

  /** Called inside `poll`; waits for the database rather than giving up the partitions. */
  async #claim(keys: readonly PartitionKey[], signal: AbortSignal): Promise<Position> {
    const backoff = new Backoff();
    for (;;) {
      try {
        const claims = await this.context.progress.claim(this.name, keys);
        await this.#letters.load(keys);
        this.#stored = (await this.context.progress.get(this.name))?.error ?? null;
        this.#owned.take(claims);
        return Object.fromEntries(claims.map((claim) => [partitionKey(claim.topic, claim.partition), claim.nextOffset]));
      } catch (error) {
        if (signal.aborted || isFinal(error)) throw error;
        this.#warn(`cannot claim its partitions: ${messageOf(error)}`, backoff.attempts);
        await backoff.wait(signal);
      }
    }
  }

  /** Drops what was read, looks which partitions are still assigned, claims those and goes on from what is committed. */
  async #recover(member: GroupMember, signal: AbortSignal): Promise<void> {
    // Reading may fail, or wait for ever, because the log was set back.
    await checkPolicyLog(this.context.plan, this.context.progress, this.context.log);
    await member.poll({ maxRecords: 1, maxWaitMs: 0, signal });
    const claims = await this.context.progress.claim(this.name, member.assignment);
    this.#drop(this.#owned.keys);
    await this.#letters.load(member.assignment);
    this.#owned.take(claims);
    this.#commits = this.#newCommits();
    for (const { topic, partition, nextOffset } of claims) member.seek(topicName(topic), partition, offset(nextOffset));
    this.#claimAnew = false;
  }

  #newCommits(): ProgressCommits {
    return new ProgressCommits(
      this.context,
      this.name,
      this.#owned,
      this.#letters,
      this.#stopping.signal,
      (error, attempts) => this.#warn(messageOf(error), attempts),
      () => this.#wentOn(),
    );
  }

  #wentOn(): void {
    const { logger, plan } = this.context;
    if (this.#warned) logger.log(`${plan.label}: goes on`);
    this.#warned = false;
  }

  async #waitOut(error: unknown, signal: AbortSignal): Promise<void> {
    this.#warn(messageOf(error), this.#backoff.attempts);
    await this.#backoff.wait(signal);
  }

  /** Says that something is away, once and then now and then. */
  #warn(what: string, attempts: number): void {
    if (this.#warned && attempts % 10 !== 9) return;
    this.#warned = true;
    this.context.logger.warn(`${this.context.plan.label}: ${what} Nothing is lost, trying again`);
  }

  #waitMs(): number {
    if (this.#owned.ahead) return Math.max(1, SKIPPED_MS - (Date.now() - this.#commits.committedAt));
    return this.#letters.parked.open > 0 ? LETTERS_MS : untilTogether(IDLE_WAIT_MS);
  }

  #skippedDue(): boolean {
    return this.#owned.ahead && Date.now() - this.#commits.committedAt >= SKIPPED_MS;
  }

  async #halt(error: PolicyError, signal: AbortSignal): Promise<void> {
    const { logger, plan, progress } = this.context;
    this.#halted = error;
    logger.error(`${plan.label} halted. ${error.message}`);
    for (const backoff = new Backoff(); !signal.aborted;) {
      try {
        await progress.setError(this.name, error);
        return;
      } catch (cause) {
        this.#warn(`its error cannot be stored: ${messageOf(cause)}`, backoff.attempts);
        await backoff.wait(signal);
      }
    }
  }

  /** The event that halted it is behind it now. */
  async #clearError(): Promise<void> {
    const at = this.#stored?.at;
    if (!this.#stored || (at && this.#owned.next(at.topic, at.partition) <= at.offset)) return;
    await this.context.progress.setError(this.name, null);
    this.#stored = null;
  }

  /** Somebody got past what halted it, or asked for letters of which there are too many. */
  async #untilCleared(signal: AbortSignal): Promise<void> {
    await pause(HALTED_LOOK_MS, signal);
    if (signal.aborted) return;
    const error = (await this.context.progress.get(this.name))?.error ?? null;
    const { store, owner } = this.#letters;
    if (error?.code === TOO_MANY_LETTERS ? (await store.requested(owner)).length > 0 : error === null) this.#halted = null;
  }
}

/** Trying again would not help: the log is another one, its begin is gone, or a letter cannot be kept. */
const FINAL = new Set([
  'KAPPA_UNKNOWN_PARTITION',
  'KAPPA_LOG_CHANGED',
  'KAPPA_LOG_TRUNCATED',
  'KAPPA_UNKNOWN_TOPIC',
  'KAPPA_DEAD_LETTER_UNWRITABLE',
]);

function isFinal(error: unknown): boolean {
  return error instanceof KappaError && FINAL.has(error.code);
}
