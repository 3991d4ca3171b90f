import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Sorting } from '../../../database/dead-letters/parked-keys.js';
import type { ProgressMove } from '../../../database/partition-progress.js';
import { FencedError } from '../../../kernel/errors.js';
import { partitionKey, type PartitionKey, type Position } from '../../../kernel/position.js';
import type { LogBatch } from '../../../log/event-log.js';
import { TURN_RECORDS } from '../../../log/pieces-of.js';
import type { LogRecord } from '../../../kernel/record.js';
import { buildLabel, type Claim } from '../build.js';
import { applySettingAside } from '../dead-letters/apply-setting-aside.js';
import { settleBuildRequests } from '../dead-letters/build-lane-owner.js';
import { BuildLetters } from '../dead-letters/build-letters.js';
import type { DecodedRecords } from '../fold/decoded-records.js';
import { EventFailure } from '../fold/event-failure.js';
import { FoldSteps } from '../fold/fold-steps.js';
import { RowWindow, type RowEntry } from '../fold/row-window.js';
import type { RunnerContext } from '../runner/runner-context.js';
import { BatchPart } from '../runner/batch-part.js';
import { foldBatch, keyOf, type BuildWork } from '../runner/fold-batch.js';
import { limited, unlimited, writeRows } from './write-rows.js';

interface Checkpoint {
  readonly topic: string;
  readonly partition: number;
  epoch: number;
  /** What stands in the database. */
  committed: number;
  /** What was folded into memory. */
  scanned: number;
}

/**
 * One build in a bulk pass: rows are kept in memory by key and written in windows, each in one transaction with the checkpoint.
 * Rows that the table does not have yet go in by COPY, those it may have by upsert, those that were deleted are removed; whether
 * a row stands in the table is known for every row in memory. What was evicted is read back, one query a batch. What stands aside is
 * kept in memory likewise, and written with the checkpoint that moves over it.
 *
 * One process folds a build in bulk, whatever the partitions, so that shared rows need no locks; the epoch in the checkpoint's
 * compare-and-set keeps a former owner out.
 */
export class BulkBuild {
  readonly #rows = new RowWindow(false);
  readonly #steps = new FoldSteps();
  readonly #checkpoints = new Map<PartitionKey, Checkpoint>();
  readonly #letters: BuildLetters;
  /** What stands aside since the last checkpoint. */
  #sorting: Sorting;
  /** Events since the event loop had its turn. */
  #sinceTurn = 0;
  #hasKey = false;

  constructor(
    private readonly context: Omit<RunnerContext, 'progress'>,
    readonly work: BuildWork,
  ) {
    this.#letters = new BuildLetters(context, work);
    this.#sorting = this.#letters.sort();
  }

  /** Records that stand aside, those in memory included. */
  get letters(): number {
    return this.#letters.parked.open + this.#sorting.asides.length;
  }

  /** Rough size of the rows in memory. */
  get bytes(): number {
    return this.#rows.bytes;
  }

  /** Neither in memory nor in the table is a row. */
  get isEmpty(): boolean {
    return this.#rows.complete && this.#rows.entries.size === 0;
  }

  /** True where a batch is work for the database, in one transaction or by one query for what was evicted: better done whole. */
  get takesWhole(): boolean {
    return this.work.plan.hasRaw || !this.#rows.complete;
  }

  /** Claims all partitions and goes on from what is committed; what was in memory is dropped. */
  async claim(): Promise<void> {
    const { builds, database } = this.context;
    const { build, table } = this.work;
    const lines = await builds.progress(build.id);
    const claims = await builds.claim(
      build.id,
      lines.map((line) => partitionKey(line.topic, line.partition)),
    );
    this.#checkpoints.clear();
    for (const claim of claims) this.#checkpoints.set(partitionKey(claim.topic, claim.partition), checkpointOf(claim));
    this.#rows.evict();
    await this.#letters.load([...this.#checkpoints.keys()]);
    this.#sorting = this.#letters.sort();
    await this.#settleLetters();
    // While nothing was ever evicted, every key that is not in memory is new. Looked up after the claim: nobody else writes now.
    this.#rows.complete = (await database.query(`select 1 from ${table.qualifiedName} limit 1`)).rows.length === 0;
  }

  /** What was asked for dead letters while nobody built, or before a rebuild that had halted goes on. */
  async #settleLetters(): Promise<void> {
    if (this.#letters.parked.open === 0) return;
    await this.#ensureKey();
    await settleBuildRequests(this.context, this.work, this.#letters, (topic, partition) => {
      const checkpoint = this.#checkpoints.get(partitionKey(topic, partition));
      return checkpoint ? { epoch: checkpoint.epoch, next: checkpoint.committed } : null;
    });
  }

  /** From where it reads. */
  get position(): Position {
    const position: Record<PartitionKey, number> = {};
    for (const [key, { scanned }] of this.#checkpoints) position[key] = scanned;
    return position;
  }

  /**
   * Folds what is new to it in this batch; what is at fault is tried again and then stands aside. Ends early when the signal aborts.
   * @throws EventFailure at which the build halts, with all before that event folded, and nothing of it.
   */
  async take(batch: LogBatch, decoded: DecodedRecords | null, signal: AbortSignal): Promise<void> {
    const checkpoint = this.#checkpoints.get(partitionKey(batch.topic, batch.partition));
    while (checkpoint && batch.next > checkpoint.scanned) {
      const { scanned } = checkpoint;
      const found = batch.records.findIndex((record) => record.offset >= scanned);
      const first = found < 0 ? batch.records.length : found;
      if (this.work.plan.hasRaw) return this.#takeRaw(checkpoint, batch.records.slice(first), batch.next, signal);
      try {
        await this.#fold(checkpoint, batch.records, first, decoded);
        checkpoint.scanned = batch.next;
        this.#letters.passed();
      } catch (error) {
        if (!(error instanceof EventFailure) || (await this.#letters.haltsAt(error, signal))) throw error;
        if (signal.aborted) return;
      }
    }
  }

  async #fold(
    checkpoint: Checkpoint,
    records: readonly LogRecord[],
    first: number,
    decoded: DecodedRecords | null,
  ): Promise<void> {
    const { plan, table } = this.work;
    const rows = this.#rows;
    const steps = this.#steps;
    rows.beginBatch();
    steps.clear();
    const letters = this.#letters;
    const sorting = this.#sorting;
    const asides = sorting.asides.length;
    const watchful = asides > 0 || letters.parked.watchful;
    let failure: EventFailure | null = null;
    try {
      for (let at = first; at < records.length; at++) {
        if (++this.#sinceTurn === TURN_RECORDS) await this.#takeTurn();
        const record = records[at] as LogRecord;
        if (watchful && !letters.takes(record, sorting)) continue;
        plan.gather(record, rows, steps, decoded, at);
        // As long as all rows are in memory an event is folded at once, and is garbage before it grows old.
        if (rows.unread.length > 0) continue;
        plan.fold(steps, 0, steps.length);
        steps.clear();
      }
    } catch (error) {
      if (!(error instanceof EventFailure)) throw error;
      failure = error;
      // What waits for rows to be read stands before the failing event; without such, all before it is folded.
      if (rows.unread.length === 0) steps.clear();
    }
    if (rows.unread.length > 0) {
      await this.#ensureKey();
      rows.read(await table.readKeys(this.context.database, rows.unread.map(keyOf)));
    }
    try {
      plan.fold(steps, 0, steps.length);
    } catch (error) {
      if (!(error instanceof EventFailure)) throw error;
      failure = error;
    }
    rows.measure(plan.codec);
    if (!failure) return;
    sorting.unsort(asides, failure.record.offset);
    checkpoint.scanned = failure.record.offset;
    throw failure;
  }

  async #takeTurn(): Promise<void> {
    this.#sinceTurn = 0;
    await nextTurn();
  }

  /** A raw handler writes by itself: such a projection is projected batch by batch, as it is live. */
  async #takeRaw(checkpoint: Checkpoint, records: readonly LogRecord[], next: number, signal: AbortSignal): Promise<void> {
    await this.#ensureKey();
    const { database, builds } = this.context;
    const { topic, partition, epoch, committed } = checkpoint;
    const { outcome, moved, failure } = await applySettingAside(
      (parts) => foldBatch(database, builds, this.work, parts, this.#letters),
      this.#letters,
      [new BatchPart({ topic, partition, epoch, from: committed, to: next }, records)],
      signal,
    );
    checkpoint.committed = moved.at(-1)?.to ?? committed;
    checkpoint.scanned = checkpoint.committed;
    if (failure) throw failure;
    if (outcome !== 'advanced') throw this.#fenced();
  }

  /**
   * Writes what changed since the last time, with the checkpoint, in one transaction; where `withinMs` is given nothing at all
   * when that takes longer.
   * @throws FencedError for a later owner; RetriableError, or the database's own error, when the time is over
   */
  async write(withinMs?: number): Promise<void> {
    const moves = this.#moves();
    if (moves.length === 0) return;
    const fresh: RowEntry[] = [];
    const changed: RowEntry[] = [];
    const gone: RowEntry[] = [];
    for (const entry of this.#rows.entries.values()) {
      if (!entry.dirty) continue;
      if (entry.row === null) {
        if (entry.stored) gone.push(entry);
      } else (entry.stored ? changed : fresh).push(entry);
    }
    const needsKey = !this.#hasKey && changed.length + gone.length > 0;
    if (needsKey && withinMs === undefined) await this.#ensureKey();
    const { database, builds } = this.context;
    const sorting = this.#sorting;
    let open = 0;
    await database.transaction(async (connection) => {
      const inTime = withinMs === undefined ? unlimited : limited(connection, withinMs);
      await inTime();
      if ((await builds.advance(connection, this.work.build.id, moves)) !== 'advanced') throw this.#fenced();
      if (needsKey && withinMs !== undefined) await this.work.table.createKey(connection);
      open = await this.#letters.write(connection, sorting);
      await writeRows(connection, this.work.table, { fresh, changed, gone }, inTime);
    });
    // Only now: had the transaction failed, all of this would still be to do.
    this.#letters.committed(sorting, open);
    this.#sorting = this.#letters.sort();
    for (const list of [fresh, changed, gone]) for (const entry of list) entry.stored = entry.row !== null;
    for (const entry of this.#rows.entries.values()) entry.dirty = false;
    for (const move of moves) this.#committed(move);
  }

  /** Writes, then drops all rows from memory; those that return are read back. */
  async evict(): Promise<void> {
    await this.write();
    this.#rows.evict();
  }

  /** From here to the last `endPart` records come partition by partition. */
  beginParts(): void {
    this.#rows.beginParts();
  }

  /** Writes, then drops all rows from memory: of this part none comes back, and when it was the last, all may. */
  async endPart(isLast: boolean): Promise<void> {
    await this.write();
    this.#rows.endPart(isLast);
  }

  /** The key index stands as soon as a key can return. */
  async #ensureKey(): Promise<void> {
    if (this.#hasKey) return;
    await this.work.table.createKey(this.context.database);
    this.#hasKey = true;
  }

  #moves(): ProgressMove[] {
    const moves: ProgressMove[] = [];
    for (const { topic, partition, epoch, committed, scanned } of this.#checkpoints.values()) {
      if (scanned > committed) moves.push({ topic, partition, epoch, from: committed, to: scanned });
    }
    return moves;
  }

  #committed({ topic, partition, to }: ProgressMove): void {
    const checkpoint = this.#checkpoints.get(partitionKey(topic, partition));
    if (checkpoint) checkpoint.committed = to;
  }

  #fenced(): FencedError {
    return new FencedError(buildLabel(this.work.build), { build: this.work.build.id });
  }
}

function checkpointOf({ topic, partition, epoch, nextOffset }: Claim): Checkpoint {
  return { topic, partition, epoch, committed: nextOffset, scanned: nextOffset };
}
