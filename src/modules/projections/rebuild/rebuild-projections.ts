import { positionOf, type Build, type BuildError } from '../build.js';
import type { RebuildProgress } from '../operations.js';
import { RunningVersions, runningVersions } from '../processes.js';
import { Backoff, pause } from '../../../database/backoff.js';
import { LiveRunner } from '../runner/live-runner.js';
import { Readiness, type SwapTogether } from '../runner/readiness.js';
import type { RunnerContext } from '../runner/runner-context.js';
import type { BuildWork } from '../runner/fold-batch.js';
import { buildInBulk, type BulkOptions } from './build-in-bulk.js';
import { groupEndedText } from '../swap-group.js';
import { Leases } from './leases.js';
import { passes } from './passes.js';
import { RebuildJob } from './rebuild-job.js';

export interface RebuildContext extends RunnerContext {
  readonly swap: SwapTogether;
}

export interface RebuildRequest {
  /** Builds that are planned, building, catching up or ready: each goes on from where it stands. */
  readonly works: readonly BuildWork[];
  /** Rows of all builds together, in MiB. Default 256. */
  readonly memoryMb?: number;
  /** Rows and checkpoint are written at least this often, in milliseconds. Default 10,000. */
  readonly checkpointMs?: number;
  /** A builder that says nothing for this long is taken over, in milliseconds. Default 6,000. */
  readonly leaseMs?: number;
  /** Default: no limit. */
  readonly maxEventsPerSecond?: number;
  /** Records of one page at most, beside its bound in bytes. Default 5,000. */
  readonly batchRecords?: number;
  readonly signal?: AbortSignal;
}

const TELL_EVERY_MS = 250;
const LOOK_EVERY_MS = 50;
const WAIT_FOR_OTHERS_MS = 300;

export function bulkOptions(request: Omit<RebuildRequest, 'works' | 'signal'>): BulkOptions {
  return {
    memoryBytes: (request.memoryMb ?? 256) * 1024 * 1024,
    checkpointMs: request.checkpointMs ?? 10_000,
    leaseMs: request.leaseMs ?? 6_000,
    maxEventsPerSecond: request.maxEventsPerSecond ?? null,
    batchRecords: request.batchRecords ?? 5_000,
  };
}

/**
 * Takes builds to `ready` (and `live`, those that swap by themselves): in bulk, in one pass of the log for all, then as a live
 * runner beside whoever else follows. Tells of each build at least four times a second; the last time with its end. What another
 * process builds is waited for, and taken over when that process is gone. Leaving the loop, or the signal, stops the work at a
 * checkpoint; a later call goes on from there.
 */
export async function* rebuildProjections(context: RebuildContext, request: RebuildRequest): AsyncIterable<RebuildProgress> {
  const jobs = request.works.map((work) => new RebuildJob(context, work));
  const stop = new AbortController();
  const signal = request.signal ? AbortSignal.any([request.signal, stop.signal]) : stop.signal;
  const end = { reached: false };
  const told: Told = { running: new RunningVersions([]) };
  const work = carryOut(context, jobs, bulkOptions(request), signal).finally(() => (end.reached = true));
  work.catch(() => undefined);
  try {
    while (!end.reached) {
      await Promise.race([work.catch(() => undefined), pause(TELL_EVERY_MS, signal)]);
      if (end.reached || signal.aborted) break;
      yield* tell(context, jobs, told);
    }
    await work;
    yield* tell(context, jobs, told);
  } finally {
    stop.abort();
    await work.catch(() => undefined);
  }
}

/** What is told again while the database is away. */
interface Told {
  running: RunningVersions;
}

async function* tell(context: RebuildContext, jobs: readonly RebuildJob[], told: Told): AsyncIterable<RebuildProgress> {
  const { builds, database } = context;
  told.running = await unlessAway(() => runningVersions(database, database.schema), told.running);
  for (const job of jobs) {
    const { build } = job.work;
    const position =
      job.phase === 'waiting'
        ? await unlessAway(async () => positionOf(await builds.progress(build.id)), job.bulk.position)
        : job.bulk.position;
    const now: Build = job.phase === 'swapped' ? { ...build, state: 'live' } : build;
    yield job.snapshot(performance.now(), position, told.running.moving(now).length);
  }
}

/** While the database is away, what was seen last. */
async function unlessAway<T>(look: () => Promise<T>, last: T): Promise<T> {
  try {
    return await look();
  } catch (error) {
    if (!passes(error)) throw error;
    return last;
  }
}

/** Repeats a look while the database or the log is away, until the signal aborts. */
async function outlast(context: RebuildContext, signal: AbortSignal, look: () => Promise<void>): Promise<void> {
  const backoff = new Backoff();
  while (!signal.aborted) {
    try {
      await look();
      return;
    } catch (error) {
      if (signal.aborted || !passes(error)) throw error;
      context.logger.warn(`rebuild: ${error instanceof Error ? error.message : String(error)}; trying again`);
      await backoff.wait(signal);
    }
  }
}

async function carryOut(
  context: RebuildContext,
  jobs: readonly RebuildJob[],
  options: BulkOptions,
  signal: AbortSignal,
): Promise<void> {
  for (;;) {
    await outlast(context, signal, () => sortOut(context, jobs));
    const waiting = jobs.filter((job) => job.phase === 'waiting');
    if (waiting.length === 0 || signal.aborted) break;
    await buildInBulk(context, waiting, options, signal);
    if (jobs.some((job) => job.phase === 'waiting')) await pause(WAIT_FOR_OTHERS_MS, signal);
  }
  await catchUp(
    context,
    jobs.filter((job) => job.phase === 'catching-up'),
    options,
    signal,
  );
}

/** What became of jobs that wait for another process, or that stand further on than the bulk part. */
async function sortOut(context: RebuildContext, jobs: readonly RebuildJob[]): Promise<void> {
  for (const job of jobs) {
    if (job.phase !== 'waiting') continue;
    const build = await context.builds.get(job.work.build.id);
    if (build?.state === 'catching-up' || build?.state === 'ready') job.phase = 'catching-up';
    else if (build?.state === 'live' || build?.state === 'standby') job.phase = 'swapped';
    else if (build?.state !== 'planned' && build?.state !== 'building') job.fail(build?.error ?? endedError(build));
  }
}

/** Follows the log for each until it is ready (or swapped), beside the runners of other processes. */
async function catchUp(
  context: RebuildContext,
  jobs: readonly RebuildJob[],
  { leaseMs }: BulkOptions,
  signal: AbortSignal,
): Promise<void> {
  const readiness = new Readiness(context, context.swap);
  // An application that starts with other code must see that somebody is about these builds.
  const leases = new Leases(context.builds, leaseMs);
  const runners = new Map<RebuildJob, LiveRunner>();
  try {
    for (const job of jobs) {
      await outlast(context, signal, async () => {
        await leases.take(job.work.build.id);
      });
      const runner = new LiveRunner(context, job.work);
      runner.start();
      runners.set(job, runner);
    }
    while (!signal.aborted && jobs.some((job) => job.phase === 'catching-up')) {
      for (const job of jobs.filter((each) => each.phase === 'catching-up'))
        await outlast(context, signal, () => lookAt(context, job, readiness));
      if (jobs.some((job) => job.phase === 'catching-up')) await pause(LOOK_EVERY_MS, signal);
    }
  } finally {
    await Promise.all([...runners.values()].map((runner) => runner.stop()));
    await leases.releaseAll();
  }
}

async function lookAt(context: RebuildContext, job: RebuildJob, readiness: Readiness): Promise<void> {
  const build = await context.builds.get(job.work.build.id);
  const now: Build | null = build && (await readiness.look(build));
  job.blockedBy = now && readiness.blockedBy(now);
  if (now?.state === 'ready' && !now.swapWhenReady) {
    job.phase = 'ready';
    if (job.work.build.swapWhenReady && now.swapGroup !== null)
      job.error = stopped('KAPPA_SWAP_GROUP_ENDED', groupEndedText(now, await context.builds.group(now.swapGroup)));
  } else if (now?.state === 'live' || now?.state === 'standby') job.phase = 'swapped';
  else if (now?.state !== 'catching-up' && now?.state !== 'ready') job.fail(now?.error ?? endedError(now));
}

function endedError(build: Build | null): BuildError {
  return stopped('KAPPA_BUILD_STATE', `the build is ${build?.state ?? 'gone'}`);
}

function stopped(code: string, message: string): BuildError {
  return { code, message, stack: null, at: null, since: new Date().toISOString() };
}
