import { isDataError } from '../../../database/database-errors.js';
import { FencedError } from '../../../kernel/errors.js';
import { covers, partitionKey, within, type PartitionKey, type Position } from '../../../kernel/position.js';
import type { LogBatch } from '../../../log/event-log.js';
import { applySettingAside } from '../dead-letters/apply-setting-aside.js';
import { BuildLetters } from '../dead-letters/build-letters.js';
import { buildError, EventFailure, stoppingError } from '../fold/event-failure.js';
import { BatchPart } from '../runner/batch-part.js';
import { foldBatch } from '../runner/fold-batch.js';
import type { RunnerContext } from '../runner/runner-context.js';
import { passes } from './passes.js';
import type { RebuildJob } from './rebuild-job.js';

/**
 * Does a job's own work: what is wrong with this job alone must not stop the others.
 * @throws what passes by itself, and what comes at a stop
 */
export async function guarded(
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
