import { offset, topicName } from '../../../kernel/names.js';
import { partitionKey, type PartitionKey, type Position } from '../../../kernel/position.js';
import { untilTogether } from '../../../kernel/timing.js';
import type { GroupMember, LogBatch } from '../../../log/event-log.js';
import { qualified } from '../../../database/identifiers.js';
import { KeptPlans } from '../../../database/kept-plans.js';
import { ownGroupPrefix } from '../../../log/postgres/log-identity.js';
import { buildLabel, type BuildError } from '../build.js';
import { checkIdentity } from '../check-identity.js';
import { settleBuildRequests } from '../dead-letters/build-lane-owner.js';
import { applySettingAside } from '../dead-letters/apply-setting-aside.js';
import { BuildLetters } from '../dead-letters/build-letters.js';
import { buildError, stoppingError, type EventFailure } from '../fold/event-failure.js';
import { Backoff, pause } from '../../../database/backoff.js';
import type { BatchPart } from './batch-part.js';
import { recordsIn, wantsAny } from './batch-parts.js';
import { BatchSize } from './batch-size.js';
import { codeOf, isFinal, isOfAnotherLog, messageOf } from './final-errors.js';
import { foldBatch, type BuildWork } from './fold-batch.js';
import { KeptRows } from './kept-rows.js';
import { OwnedPartitions } from './owned-partitions.js';
import { Refusals } from './refusals.js';
import type { RunnerContext } from './runner-context.js';
import { StoredError } from './stored-error.js';

/** Progress of records that nobody handles is committed at most this often, and never later than this. */
const SKIPPED_MS = 250;
/** Of the log, in one batch. */
const BATCH_BYTES = 16 * 1024 * 1024;
/** What comes ends the wait, and so does a change of the group. */
const IDLE_WAIT_MS = 5_000;
/** How often a build that is held looks whether it may go on. */
const HELD_MS = 40;
/** How often a build with dead letters looks whether something is asked for them. */
const LETTERS_MS = 250;

/**
 * Keeps one build at the tail of the log, as one member of the build's consumer group `<prefix>.build-<id>`. A batch is what
 * gathered while the last one committed. Whoever claimed a partition last owns it: one that finds itself fenced drops what it has
 * and claims again while the group still assigns the partition to it.
 *
 * A record at fault is tried again and then set aside as a dead letter, and so are later ones of its key; neighbours go on. Where the
 * projection says so, or too many stand aside, the build halts at it instead: what stands before it is applied, its progress stands
 * at it, the error is stored. A database or log that is away stops nothing: it is tried again with growing waits. What the database
 * refuses for another reason is tried a few times, and then stops the build too.
 */
export class LiveRunner {
  readonly #stopping = new AbortController();
  readonly #owned = new OwnedPartitions();
  readonly #backoff = new Backoff();
  readonly #refusals = new Refusals();
  readonly #kept = new KeptRows();
  readonly #plans: KeptPlans;
  readonly #size: BatchSize;
  readonly #elapsed: () => number;
  readonly #label: string;
  readonly #letters: BuildLetters;
  #lettersAt = 0;
  /** Of all topics. */
  #partitions = 0;
  #member: GroupMember | null = null;
  #claimAnew = false;
  /** Something was said to be away. */
  #warned = false;
  #committedAt = 0;
  readonly #stored: StoredError;
  #done: Promise<unknown> | null = null;
  #ended = false;
  #failed = false;

  constructor(
    private readonly context: RunnerContext,
    readonly work: BuildWork,
  ) {
    this.#label = buildLabel(work.build);
    this.#plans = new KeptPlans('kappa_batch', [work.table.qualifiedName, qualified(context.database.schema, 'progress')]);
    this.#letters = new BuildLetters(context, work);
    this.#size = new BatchSize(context.liveBatchRecords ?? null, work.plan.shared);
    this.#elapsed = context.elapsed ?? (() => performance.now());
    this.#stored = new StoredError(context, work.build);
  }

  /** Begins to follow; failures are told by `done`, `failed` and the build's error. */
  start(): void {
    this.#done ??= this.#run().finally(() => (this.#ended = true));
  }

  /** Finishes the batch, commits it, gives the partitions back. May be called twice. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#done;
  }

  /** Settles when it has stopped, by `stop` or because a record is at fault. */
  get done(): Promise<unknown> {
    return this.#done ?? Promise.resolve();
  }

  /** True when a record, or its log, is at fault. */
  get failed(): boolean {
    return this.#failed;
  }

  /** True when it follows no more, for whatever reason. */
  get ended(): boolean {
    return this.#ended;
  }

  async #run(): Promise<void> {
    const { signal } = this.#stopping;
    while (!signal.aborted && !this.#failed) {
      try {
        await this.#follow(signal);
      } catch (error) {
        if (signal.aborted) break;
        if (codeOf(error) === 'KAPPA_BUILD_STATE') break;
        if (this.#isFinal(error)) await this.#fail(stoppingError(error, new Date()));
        else await this.#waitOut(error, signal);
      }
    }
  }

  async #follow(signal: AbortSignal): Promise<void> {
    const { log, database } = this.context;
    const { build, plan } = this.work;
    const lines = await this.context.builds.progress(build.id);
    this.#partitions = lines.length;
    await checkIdentity(build, lines, log);
    const member = await log.join({
      group: `${await ownGroupPrefix(database)}.build-${build.id}`,
      topics: plan.topics,
      onDemand: true,
      assigned: (keys) => this.#claim(keys, signal),
      revoked: async (keys) => this.#drop(keys),
    });
    this.#member = member;
    try {
      while (!signal.aborted && !this.#failed) await this.#turn(member, signal);
    } finally {
      this.#member = null;
      await this.#commitSkipped();
      await member.leave();
      this.#drop(this.#owned.keys);
    }
  }

  /** One poll and what follows from it. Errors that pass by themselves are waited out here, without leaving the group. */
  async #turn(member: GroupMember, signal: AbortSignal): Promise<void> {
    try {
      if (this.#claimAnew) await this.#recover(member, signal);
      await this.#settleLetters();
      if (this.#owned.held) this.#size.reset();
      const batches = await member.poll({
        maxRecords: this.#size.records,
        maxBytes: BATCH_BYTES,
        // What lies beyond a hold is not taken: it would keep the others from their turn.
        deep: !this.work.plan.shared && !this.#owned.held,
        maxWaitMs: this.#waitMs(),
        signal,
      });
      if (this.#owned.held) this.#owned.setHolds(await this.context.builds.progress(this.work.build.id));
      await this.#take(member, batches, signal);
      if (this.#backoff.attempts > 0 && !this.#claimAnew) {
        if (this.#warned) this.context.logger.log(`${this.#label}: goes on`);
        this.#warned = false;
        this.#backoff.reset();
      }
    } catch (error) {
      // Before all else: on the way out, too, nothing more is committed of what was scanned.
      this.#claimAnew = true;
      if (signal.aborted || this.#isFinal(error) || isOfAnotherLog(error)) throw error;
      // It may have failed for its size.
      this.#size.reset();
      await this.#waitOut(error, signal);
    }
  }

  async #take(member: GroupMember, batches: readonly LogBatch[], signal: AbortSignal): Promise<void> {
    const { parts, again } = this.#owned.parts(batches);
    for (const { topic, partition, offset: at } of again) {
      member.seek(topicName(topic), partition, offset(at));
    }
    const behind = this.#owned.isBehindAfter(batches);
    this.#kept.keeping = behind && this.#owned.keys.length === this.#partitions;
    const began = this.#elapsed();
    if (wantsAny(parts, this.work.plan) || this.#skippedDue()) await this.#commit(parts, signal);
    else this.#owned.scannedTo(parts);
    if (behind) this.#size.took(recordsIn(parts), this.#elapsed() - began);
    else this.#size.reset();
    if (!this.#kept.keeping) this.#kept.drop();
    for (const { topic, partition, offset: at } of again) this.#owned.rewind(topic, partition, at);
    if (again.length > 0 && recordsIn(parts) === 0) await pause(HELD_MS, signal);
  }

  async #commit(parts: readonly BatchPart[], signal: AbortSignal): Promise<void> {
    if (parts.length === 0) return;
    const { outcome, moved, failure } = await applySettingAside((some) => this.#fold(some), this.#letters, parts, signal);
    this.#committed(moved);
    if (outcome === 'held') {
      this.#owned.setHolds(await this.context.builds.progress(this.work.build.id));
      // What lies before the hold is read again and cut there.
      this.#claimAnew = true;
    } else if (outcome === 'fenced') {
      this.#claimAnew = true;
      await this.#backoff.wait(signal);
    } else if (failure) await this.#failAt(failure);
    else await this.#stored.passed(moved);
  }

  #fold(parts: readonly BatchPart[]): ReturnType<typeof foldBatch> {
    const { database, builds } = this.context;
    return foldBatch(database, builds, this.work, parts, this.#letters, { rows: this.#kept, plans: this.#plans });
  }

  /** Between two batches: what was asked for dead letters is done by the owner alone. */
  async #settleLetters(): Promise<void> {
    if (this.#letters.parked.open === 0 || Date.now() - this.#lettersAt < LETTERS_MS) return;
    this.#kept.drop();
    await settleBuildRequests(this.context, this.work, this.#letters, (topic, partition) => this.#owned.at(topic, partition));
    this.#lettersAt = Date.now();
  }

  #drop(keys: readonly PartitionKey[]): void {
    this.#owned.drop(keys);
    this.#kept.drop();
    this.#letters.parked.drop(keys);
  }

  #committed(moved: readonly BatchPart[]): void {
    if (moved.length === 0) return;
    this.#owned.committed(moved);
    this.#committedAt = Date.now();
    const position: Record<PartitionKey, number> = {};
    for (const part of moved) position[partitionKey(part.topic, part.partition)] = part.to;
    this.context.progress.publish(this.work.build.id, position);
  }

  /** Called inside `poll`; waits for the database rather than giving up the partitions. */
  async #claim(keys: readonly PartitionKey[], signal: AbortSignal): Promise<Position> {
    const backoff = new Backoff();
    for (;;) {
      try {
        const claims = await this.context.builds.claim(this.work.build.id, keys);
        await this.#letters.load(keys);
        this.#kept.drop();
        this.#owned.take(claims);
        return Object.fromEntries(claims.map((claim) => [partitionKey(claim.topic, claim.partition), claim.nextOffset]));
      } catch (error) {
        if (signal.aborted || this.#isFinal(error)) throw error;
        this.context.logger.warn(`${this.#label}: cannot claim its partitions (${messageOf(error)}); trying again`);
        await backoff.wait(signal);
      }
    }
  }

  /** Drops what was read, looks which partitions are still assigned, claims those and goes on from what is committed. */
  async #recover(member: GroupMember, signal: AbortSignal): Promise<void> {
    await member.poll({ maxRecords: 1, maxWaitMs: 0, signal });
    const claims = await this.context.builds.claim(this.work.build.id, member.assignment);
    this.#drop(this.#owned.keys);
    await this.#letters.load(member.assignment);
    this.#owned.take(claims);
    for (const { topic, partition, nextOffset } of claims) member.seek(topicName(topic), partition, offset(nextOffset));
    this.#claimAnew = false;
  }

  async #waitOut(error: unknown, signal: AbortSignal): Promise<void> {
    const { logger } = this.context;
    const text = `${this.#label}: ${messageOf(error)}; nothing is lost, trying again`;
    if (!this.#warned) logger.warn(text);
    else if (this.#backoff.attempts % 10 === 0) logger.warn(`${text} (${this.#backoff.attempts} times so far)`);
    this.#warned = true;
    await this.#backoff.wait(signal);
  }

  #waitMs(): number {
    if (this.#owned.ahead) return Math.max(1, SKIPPED_MS - (Date.now() - this.#committedAt));
    if (this.#owned.held) return HELD_MS;
    return this.#letters.parked.open > 0 ? LETTERS_MS : untilTogether(IDLE_WAIT_MS);
  }

  #skippedDue(): boolean {
    return Date.now() - this.#committedAt >= SKIPPED_MS;
  }

  /** At the end: what was only skipped counts too, when the database still answers. */
  async #commitSkipped(): Promise<void> {
    const { parts } = this.#owned.parts([]);
    if (parts.length === 0 || this.#failed || this.#claimAnew) return;
    const outcome = await this.#fold(parts).catch(() => null);
    if (outcome === 'advanced') this.#committed(parts);
  }

  async #failAt(failure: EventFailure): Promise<void> {
    await this.#fail(buildError(failure, this.#label, new Date()));
  }

  #isFinal(error: unknown): boolean {
    return isFinal(error) || this.#refusals.isTooMany(error, performance.now());
  }

  /** Stops this build only. */
  async #fail(error: BuildError): Promise<void> {
    this.#failed = true;
    this.context.logger.error(`${this.#label} stopped. ${error.message}`);
    await this.#stored.set(error, this.#stopping.signal);
  }

  /** For tests and the supervisor: the partitions it owns now. */
  get assignment(): readonly PartitionKey[] {
    return this.#member?.assignment ?? [];
  }
}
