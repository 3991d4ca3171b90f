import { KappaError } from '../../../kernel/errors.js';
import { topicName } from '../../../kernel/names.js';
import { distance, partitionKey, within, type PartitionKey, type Position } from '../../../kernel/position.js';
import { buildLabel } from '../build.js';
import { checkIdentity } from '../check-identity.js';
import { stoppingError } from '../fold/event-failure.js';
import { moveIfPossible } from '../move-if-possible.js';
import { Backoff } from '../../../database/backoff.js';
import type { RunnerContext } from '../runner/runner-context.js';
import { bulkPass, reached, working, type PassOptions } from './bulk-pass.js';
import { Leases } from './leases.js';
import { passes } from './passes.js';
import type { RebuildJob } from './rebuild-job.js';

export interface BulkOptions extends PassOptions {
  /** A lease that is not renewed for this long is free, in milliseconds. */
  readonly leaseMs: number;
}

/** What was appended meanwhile is read in bulk again while it is more than this; the rest is the live runner's. */
const LEFT_FOR_LIVE = 20_000;

const TABLE_EXISTS = `select to_regclass($1) is not null as exists`;
const ROWS_ESTIMATE = `select reltuples::bigint as rows from pg_class where oid = to_regclass($1)`;

/**
 * Builds jobs from `planned` or `building` to `catching-up`, all in one pass of the log; goes on from their checkpoints where
 * they were killed. Jobs that another process builds stay `waiting`; those at fault end `failed`. Returns when none is left to do.
 */
export async function buildInBulk(
  context: RunnerContext,
  jobs: readonly RebuildJob[],
  options: BulkOptions,
  signal: AbortSignal,
): Promise<void> {
  const leases = new Leases(context.builds, options.leaseMs);
  const backoff = new Backoff();
  let mayTry = true;
  try {
    for (;;) {
      try {
        await storeFailures(context, jobs, leases);
        await prepareAll(context, jobs, leases, signal);
        const active = jobs.filter(working);
        if (active.length === 0 || signal.aborted) {
          await storeFailures(context, jobs, leases);
          return;
        }
        const ends = await endsOf(context, active);
        const outcome = await bulkPass(context, active, ends, options, mayTry, signal);
        backoff.reset();
        if (outcome === 'too many rows') {
          mayTry = false;
          // Claimed again they drop what they have in memory.
          for (const job of active) job.lost = true;
          continue;
        }
        if (signal.aborted) return;
        const now = await endsOf(context, active);
        for (const job of active) {
          if (
            working(job) &&
            reached(job, ends) &&
            distance(job.bulk.position, within(now, job.bulk.position)) <= LEFT_FOR_LIVE
          )
            await finish(context, job, leases);
        }
      } catch (error) {
        if (signal.aborted) return;
        if (!passes(error)) throw error;
        context.logger.warn(`rebuild: ${error instanceof Error ? error.message : String(error)}; goes on from its checkpoint`);
        for (const job of jobs) if (working(job)) job.lost = true;
        await backoff.wait(signal);
      }
    }
  } finally {
    await leases.releaseAll();
  }
}

/** Takes the lease, makes the table, claims the partitions: whatever stands between a job and the next pass. */
async function prepareAll(
  context: RunnerContext,
  jobs: readonly RebuildJob[],
  leases: Leases,
  signal: AbortSignal,
): Promise<void> {
  for (const job of jobs) {
    if (signal.aborted) return;
    if (leases.lost(job.work.build.id)) job.lost = true;
    if (job.phase !== 'waiting' && !(job.phase === 'building' && job.lost)) continue;
    if (!(await leases.take(job.work.build.id))) {
      job.phase = 'waiting';
      continue;
    }
    try {
      await prepare(context, job);
    } catch (error) {
      if (passes(error)) throw error;
      job.fail(stoppingError(error, new Date()));
    }
  }
}

async function prepare(context: RunnerContext, job: RebuildJob): Promise<void> {
  const { builds, database, log } = context;
  const { build, table } = job.work;
  const current = await builds.get(build.id);
  if (current?.state === 'planned') await builds.move(build.id, 'building');
  else if (current?.state !== 'building') {
    throw new KappaError('KAPPA_BUILD_STATE', `${buildLabel(build)} is ${current?.state ?? 'gone'} and is not built any more`, {
      facts: { build: build.id },
    });
  }
  const { rows } = await database.query<{ exists: boolean }>(TABLE_EXISTS, [table.qualifiedName]);
  if (!rows[0]?.exists) await table.create(database);
  await checkIdentity(build, await builds.progress(build.id), log);
  await job.bulk.claim();
  const bounds = await boundsOf(context, job);
  job.begin = bounds.begin;
  job.target = bounds.end;
  job.phase = 'building';
  job.lost = false;
}

/** The rows stand; indexes and statistics follow, then the build goes over to the live runner. */
async function finish(context: RunnerContext, job: RebuildJob, leases: Leases): Promise<void> {
  const { builds, database } = context;
  const { build, table } = job.work;
  job.phase = 'indexing';
  try {
    await table.createKey(database);
    await table.createIndexes(database);
    const { rows } = await database.query<{ rows: number }>(ROWS_ESTIMATE, [table.qualifiedName]);
    job.rows = rows[0]?.rows ?? null;
    await builds.move(build.id, 'catching-up');
    job.phase = 'catching-up';
    context.progress.publish(build.id, job.bulk.position);
    await leases.release(build.id);
  } catch (error) {
    job.phase = 'building';
    if (passes(error)) throw error;
    job.fail(stoppingError(error, new Date()));
  }
}

async function storeFailures(context: RunnerContext, jobs: readonly RebuildJob[], leases: Leases): Promise<void> {
  const { builds, logger } = context;
  for (const job of jobs) {
    if (job.phase !== 'failed' || job.told || !job.error) continue;
    const { build } = job.work;
    if ((await builds.get(build.id))?.state === 'building')
      await moveIfPossible(builds, build.id, 'failed', { error: job.error });
    await leases.release(build.id);
    job.told = true;
    logger.error(`${buildLabel(build)} stopped. ${job.error.message}`);
  }
}

async function endsOf(context: RunnerContext, jobs: readonly RebuildJob[]): Promise<Position> {
  const ends: Record<PartitionKey, number> = {};
  for (const job of jobs) {
    const { end } = await boundsOf(context, job);
    job.target = end;
    Object.assign(ends, end);
  }
  return ends;
}

async function boundsOf(
  { log }: RunnerContext,
  job: RebuildJob,
): Promise<{ readonly begin: Position; readonly end: Position }> {
  const begin: Record<PartitionKey, number> = {};
  const end: Record<PartitionKey, number> = {};
  for (const topic of job.work.plan.topics) {
    for (const offsets of await log.offsets(topicName(topic))) {
      begin[partitionKey(topic, offsets.partition)] = offsets.begin;
      end[partitionKey(topic, offsets.partition)] = offsets.end;
    }
  }
  return { begin, end };
}
