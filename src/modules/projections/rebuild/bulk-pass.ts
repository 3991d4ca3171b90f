import { isDataError } from '../../../database/database-errors.js';
import { FencedError } from '../../../kernel/errors.js';
import { covers, partitionKey, within, type PartitionKey, type Position } from '../../../kernel/position.js';
import type { LogBatch } from '../../../log/event-log.js';
import { madeInTurns, PIECE_RECORDS, piecesOf } from '../../../log/pieces-of.js';
import { applySettingAside } from '../dead-letters/apply-setting-aside.js';
import { BuildLetters } from '../dead-letters/build-letters.js';
import { DecodedRecords } from '../fold/decoded-records.js';
import { buildError, EventFailure, stoppingError } from '../fold/event-failure.js';
import { pause } from '../../../database/backoff.js';
import { BatchPart } from '../runner/batch-part.js';
import { foldBatch } from '../runner/fold-batch.js';
import type { RunnerContext } from '../runner/runner-context.js';
import { passes } from './passes.js';
import { readAhead } from './read-ahead.js';
import { readingOrder } from './reading-order.js';
import type { RebuildJob } from './rebuild-job.js';

export interface PassOptions {
  /** Rows of all builds together, in bytes. */
  readonly memoryBytes: number;
  /** Rows and checkpoint are written at least this often, in milliseconds. */
  readonly checkpointMs: number;
  readonly maxEventsPerSecond: number | null;
  /** Records of one page at most. */
  readonly batchRecords: number;
}

/** Batches that are fetched while one is folded. */
const AHEAD = 2;
const MOST_BYTES = 8 * 1024 * 1024;
const LEAST_BYTES = 256 * 1024;
/**
 * Pages are given back while rows have no more than this. Beyond, the rows of a part leave as much garbage behind when it ends, and
 * the sweeps that pages bring about, which lie outside of the engine's heap, are what removes it in time.
 */
const FEW_ROWS_BYTES = 2 * 1024 * 1024;
/** Half of what containers are commonly given to stop. */
const STOP_WITHIN_MS = 5_000;

/**
 * Reads the log once, from the earliest checkpoint to the given ends, for all jobs; each takes what is new to it. Jobs that fail
 * or lose their build drop out; the others go on. At the signal all stop at a checkpoint.
 * @throws errors that pass by themselves (database or log away): claim again and begin another pass.
 */
export async function bulkPass(
  context: RunnerContext,
  jobs: readonly RebuildJob[],
  to: Position,
  options: PassOptions,
  signal: AbortSignal,
): Promise<void> {
  const from = earliest(jobs, to);
  if (Object.keys(from).length === 0) return;
  const began = performance.now();
  let written = began;
  let records = 0;
  const at: Record<PartitionKey, number> = { ...from };
  const decoded = jobs.length > 1 ? new DecodedRecords() : null;
  const parts = readingOrder(
    jobs.filter(working).map(({ work }) => work.plan),
    from,
    to,
    options.memoryBytes,
  );
  if (parts.length > 1) for (const job of jobs.filter(working)) job.bulk.beginParts();
  let part = 0;
  const endParts = async (until: number): Promise<void> => {
    for (; part < until && parts.length > 1; part += 1)
      for (const job of jobs.filter(working))
        await guarded(context, job, to, signal, () => job.bulk.endPart(part === parts.length - 1));
    written = performance.now();
  };
  for await (const { batch, inPart } of readAhead(batchesOf(context, parts, to, options, signal), AHEAD)) {
    if (signal.aborted) break;
    if (inPart > part) await endParts(inPart);
    const key = partitionKey(batch.topic, batch.partition);
    await takeIn(context, jobs, batch, { from: at[key] ?? 0, to, decoded }, signal);
    at[key] = batch.next;
    records += (batch.onDemand ?? batch.records).length;
    if (jobs.every(holdsNothing) && bytesOf(jobs) < FEW_ROWS_BYTES) batch.release?.();
    await limitMemory(context, jobs, to, options.memoryBytes, signal);
    if (performance.now() - written > options.checkpointMs) {
      for (const job of jobs.filter(working)) await guarded(context, job, to, signal, () => job.bulk.write());
      written = performance.now();
    }
    await slowDown(records, began, options.maxEventsPerSecond, signal);
    if (!jobs.some(working)) return;
  }
  if (signal.aborted) {
    await keepWindows(jobs.filter(working));
    return;
  }
  await endParts(parts.length);
  for (const job of jobs.filter(working)) await guarded(context, job, to, signal, () => job.bulk.write());
}

/** The batches of all parts, one part after the other, so that the next is begun to be read while the last is folded. */
async function* batchesOf(
  context: RunnerContext,
  parts: readonly Position[],
  to: Position,
  options: PassOptions,
  signal: AbortSignal,
): AsyncIterable<{ readonly batch: LogBatch; readonly inPart: number }> {
  for (const [inPart, from] of parts.entries()) {
    const batches = context.log.read({
      from,
      to: within(to, from),
      maxBatchRecords: Math.max(1, Math.min(options.batchRecords, options.maxEventsPerSecond ?? Infinity)),
      maxBatchBytes: Math.min(MOST_BYTES, Math.max(LEAST_BYTES, options.memoryBytes / 16)),
      signal,
    });
    for await (const batch of batches) yield { batch, inPart };
  }
}

/** Gives a batch, which goes on `from` there, to all jobs, piece by piece. */
async function takeIn(
  context: RunnerContext,
  jobs: readonly RebuildJob[],
  batch: LogBatch,
  { from, to, decoded }: { readonly from: number; readonly to: Position; readonly decoded: DecodedRecords | null },
  signal: AbortSignal,
): Promise<void> {
  const key = partitionKey(batch.topic, batch.partition);
  let begin = from;
  for (const piece of jobs.some(takesWhole) ? [await madeInTurns(batch)] : piecesOf(batch, PIECE_RECORDS)) {
    if (!jobs.some(working)) return;
    decoded?.begin(piece.records.length);
    for (const job of jobs) {
      // One that must read something before this piece again waits for the next pass.
      if (working(job) && (job.bulk.position[key] ?? Infinity) >= begin)
        await guarded(context, job, to, signal, () => job.bulk.take(piece, decoded, signal));
    }
    begin = piece.next;
  }
}

/**
 * At a stop: what is in memory is written, so that the next start goes on from here. Not for longer than somebody waits who wants
 * the process to end; what cannot be written in time is read again from the last checkpoint.
 */
async function keepWindows(jobs: readonly RebuildJob[]): Promise<void> {
  const until = performance.now() + STOP_WITHIN_MS;
  for (const job of jobs) await job.bulk.write(Math.max(1, until - performance.now())).catch(() => undefined);
}

function takesWhole(job: RebuildJob): boolean {
  return working(job) && job.bulk.takesWhole;
}

/** Of the batch that it has taken: neither an event that stands aside, nor one at which it halted, nor bytes that a codec passed on. */
function holdsNothing(job: RebuildJob): boolean {
  return working(job) && job.bulk.letters === 0 && !job.work.plan.mayHoldBytes;
}

/** Of the rows of all jobs. */
function bytesOf(jobs: readonly RebuildJob[]): number {
  return jobs.reduce((sum, job) => sum + job.bulk.bytes, 0);
}

export function working(job: RebuildJob): boolean {
  return job.phase === 'building' && !job.lost;
}

async function limitMemory(
  context: RunnerContext,
  jobs: readonly RebuildJob[],
  to: Position,
  most: number,
  signal: AbortSignal,
): Promise<void> {
  while (bytesOf(jobs) > most) {
    const largest = jobs
      .filter(working)
      .reduce<RebuildJob | null>((max, job) => (max && max.bulk.bytes >= job.bulk.bytes ? max : job), null);
    if (!largest || largest.bulk.bytes === 0) return;
    await guarded(context, largest, to, signal, () => largest.bulk.evict());
  }
}

/** Does a job's own work: what is wrong with this job alone must not stop the others. */
async function guarded(
  context: RunnerContext,
  job: RebuildJob,
  to: Position,
  signal: AbortSignal,
  work: () => Promise<void>,
): Promise<void> {
  try {
    await work();
  } catch (error) {
    if (error instanceof FencedError) {
      job.lost = true;
      return;
    }
    try {
      await endAtFailure(context, job, to, signal, error);
    } catch (cause) {
      if (signal.aborted || passes(cause)) throw cause;
      job.fail(stoppingError(cause, new Date()));
    }
  }
}

/** @throws what names no event, and what passes by itself */
async function endAtFailure(
  context: RunnerContext,
  job: RebuildJob,
  to: Position,
  signal: AbortSignal,
  error: unknown,
): Promise<void> {
  if (error instanceof EventFailure) {
    await writeBefore(context, job, to, signal);
    job.fail(buildError(error, job.work.plan.label, new Date()));
  } else if (isDataError(error)) await findFailure(context, job, to, signal);
  else throw error;
}

/** All that stands before the failing event is kept. */
async function writeBefore(context: RunnerContext, job: RebuildJob, to: Position, signal: AbortSignal): Promise<void> {
  try {
    await job.bulk.write();
  } catch (error) {
    if (!isDataError(error)) throw error;
    await findFailure(context, job, to, signal);
  }
}

/**
 * The database refused a row (SQLSTATE 22, 23), which names no event: from the last checkpoint on, batches are projected as they
 * are live, and halved until the event is found and stands aside, as far as the log was read in bulk already.
 */
async function findFailure(context: RunnerContext, job: RebuildJob, to: Position, signal: AbortSignal): Promise<void> {
  const { work } = job;
  const scanned = job.bulk.position;
  const keys = Object.keys(scanned) as PartitionKey[];
  const claims = await context.builds.claim(work.build.id, keys);
  const letters = new BuildLetters(context, work);
  await letters.load(keys);
  await work.table.createKey(context.database);
  const epochs = new Map(claims.map((claim) => [partitionKey(claim.topic, claim.partition), claim]));
  const next = new Map(claims.map((claim) => [partitionKey(claim.topic, claim.partition), claim.nextOffset]));
  const before = letters.parked.open;
  const from = Object.fromEntries([...next].filter(([key, at]) => at < (to[key] ?? 0)));
  for await (const batch of context.log.read({ from, to: within(to, from), signal })) {
    const key = partitionKey(batch.topic, batch.partition);
    const part = partOf(batch, epochs.get(key)?.epoch ?? 0, next.get(key) ?? 0);
    const { outcome, failure } = await applySettingAside(
      (some) => foldBatch(context.database, context.builds, work, some, letters),
      letters,
      [part],
      signal,
    );
    if (outcome !== 'advanced' || signal.aborted) break;
    next.set(key, batch.next);
    if (failure) {
      job.fail(buildError(failure, work.plan.label, new Date()));
      return;
    }
    if (letters.parked.open > before && covers(Object.fromEntries(next), scanned)) break;
  }
  // It is claimed again before the next pass, which goes on from what is committed now.
  job.lost = true;
}

function partOf(batch: LogBatch, epoch: number, from: number): BatchPart {
  return new BatchPart({ topic: batch.topic, partition: batch.partition, epoch, from, to: batch.next }, batch.records);
}

/** Where the pass begins: the earliest checkpoint of each partition that somebody still needs. */
function earliest(jobs: readonly RebuildJob[], to: Position): Position {
  const from: Record<PartitionKey, number> = {};
  for (const job of jobs.filter(working)) {
    for (const [key, at] of Object.entries(job.bulk.position) as [PartitionKey, number][]) {
      if (at < (to[key] ?? 0)) from[key] = Math.min(from[key] ?? Infinity, at);
    }
  }
  return from;
}

async function slowDown(records: number, began: number, most: number | null, signal: AbortSignal): Promise<void> {
  if (most === null) return;
  const early = (records / most) * 1000 - (performance.now() - began);
  if (early > 1) await pause(early, signal);
}

/** True when the job has taken in all up to these ends. */
export function reached(job: RebuildJob, ends: Position): boolean {
  const wanted = within(ends, job.bulk.position);
  return covers(job.bulk.position, wanted);
}
