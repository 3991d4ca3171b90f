import { covers, distance, partitionKey, within, type PartitionKey, type Position } from '../../../kernel/position.js';
import type { LogBatch } from '../../../log/event-log.js';
import { madeInTurns, PIECE_RECORDS, piecesOf } from '../../../log/pieces-of.js';
import { DecodedRecords } from '../fold/decoded-records.js';
import { pause } from '../../../database/backoff.js';
import type { RunnerContext } from '../runner/runner-context.js';
import { guarded } from './guarded.js';
import { readAhead } from './read-ahead.js';
import { partsOf, readingOrder } from './reading-order.js';
import type { RebuildJob } from './rebuild-job.js';
import { RowTrial } from './row-trial.js';

export interface PassOptions {
  /** Rows of all builds together, in bytes. */
  readonly memoryBytes: number;
  /** Rows and checkpoint are written at least this often, in milliseconds. */
  readonly checkpointMs: number;
  readonly maxEventsPerSecond: number | null;
  /** Records of one page at most. */
  readonly batchRecords: number;
}

/** Rows may turn out to be too many for how the pass reads: then all go on from their checkpoints, partition by partition. */
export type PassOutcome = 'read' | 'too many rows';

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
 * or lose their build drop out; the others go on. At the signal all stop at a checkpoint. `mayTry`: whether it may read all
 * partitions at once, and leave off where rows turn out to be too many for that.
 * @throws errors that pass by themselves (database or log away): claim again and begin another pass.
 */
export async function bulkPass(
  context: RunnerContext,
  jobs: readonly RebuildJob[],
  to: Position,
  options: PassOptions,
  mayTry: boolean,
  signal: AbortSignal,
): Promise<PassOutcome> {
  const from = earliest(jobs, to);
  if (Object.keys(from).length === 0) return 'read';
  const began = performance.now();
  let written = began;
  let records = 0;
  const at: Record<PartitionKey, number> = { ...from };
  const decoded = jobs.length > 1 ? new DecodedRecords() : null;
  const order = readingOrder(
    jobs.filter(working).map(({ work }) => work.plan),
    from,
    to,
    options.memoryBytes,
    mayTry && jobs.filter(working).every(({ bulk }) => bulk.isEmpty),
  );
  const parts = partsOf(order, from);
  const trial = order === 'on trial' ? new RowTrial(distance(from, within(to, from)), options.memoryBytes) : null;
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
    const isDue = performance.now() - written > options.checkpointMs;
    if (trial?.fails(records, bytesOf(jobs), isDue)) return 'too many rows';
    await limitMemory(context, jobs, to, options.memoryBytes, signal);
    if (isDue) {
      for (const job of jobs.filter(working)) await guarded(context, job, to, signal, () => job.bulk.write());
      written = performance.now();
    }
    await slowDown(records, began, options.maxEventsPerSecond, signal);
    if (!jobs.some(working)) return 'read';
  }
  if (signal.aborted) {
    await keepWindows(jobs.filter(working));
    return 'read';
  }
  await endParts(parts.length);
  for (const job of jobs.filter(working)) await guarded(context, job, to, signal, () => job.bulk.write());
  return 'read';
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
