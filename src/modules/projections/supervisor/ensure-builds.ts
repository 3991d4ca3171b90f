import { buildLabel, isOnTheWay, type Build } from '../build.js';
import { identityFault } from '../check-identity.js';
import { newestVersions, type DeclaredVersion } from '../declared-version.js';
import { isSameCode, judgeBuild, type CodePolicy } from '../fingerprint.js';
import { moveIfPossible } from '../move-if-possible.js';
import { runningVersions } from '../processes.js';
import type { ProjectionDefinition } from '../projection.js';
import { createBuild } from '../rebuild/create-build.js';
import { underCreationLock } from '../rebuild/creation-lock.js';
import type { RunnerContext } from '../runner/runner-context.js';

const ENDED = new Set<Build['state']>(['retired', 'dropped', 'aborted']);

/** A new build of a version, and the one whose place it takes. */
export interface Rebuilt {
  readonly build: Build;
  readonly instead: Build;
}

/** A build on its way with other code, of a version that this process has code for. */
export interface LeftBuild {
  readonly declared: DeclaredVersion;
  readonly build: Build;
}

/** What a start found to be done. */
export interface EnsuredBuilds {
  /** First builds, and what failed and is tried again. */
  readonly begun: readonly Build[];
  readonly rebuilt: readonly Rebuilt[];
  /** What other processes are about; see {@link takeOverLeft}. */
  readonly left: readonly LeftBuild[];
}

/**
 * Compares what the code declares with the builds there are: makes the first build of a projection that has none, takes up what
 * failed, and does what the policy says where handler code changed.
 * @throws KAPPA_SHAPE_CHANGED before anything is begun; KAPPA_LOG_TRUNCATED for a first build from a log whose begin is gone
 */
export async function ensureBuilds(
  context: RunnerContext,
  versions: readonly DeclaredVersion[],
  policy: CodePolicy,
): Promise<EnsuredBuilds> {
  return underCreationLock(context.database, async () => {
    const begun: Build[] = [];
    const rebuilt: Rebuilt[] = [];
    const left: LeftBuild[] = [];
    const builds = await context.builds.list();
    const judged = versions.flatMap((declared) => {
      const newest = newestOf(builds, declared.definition);
      if (!newest) return [];
      return [{ declared, newest, verdict: judgeBuild(newest, declared.fingerprint, isOnTheWay(newest) ? 'rebuild' : policy) }];
    });
    for (const { declared, newest, verdict } of judged) {
      if (verdict === 'warn') warnOfChangedCode(context, newest);
      else if (verdict === 'rebuild' && isOnTheWay(newest) && (await isCaredFor(context, newest))) {
        context.logger.warn(
          `${buildLabel(newest)} is on its way with other code than this process has, and a process with that code is about it: it is left alone`,
        );
        left.push({ declared, build: newest });
      } else if (verdict === 'rebuild') rebuilt.push(...(await rebuild(context, declared, newest, policy)));
      else if (newest.state === 'failed') {
        const taken = await takeUp(context, declared, newest, policy);
        begun.push(...taken.begun);
        rebuilt.push(...taken.rebuilt);
      }
    }
    const newest = new Set(newestVersions(versions.map(({ definition }) => definition)));
    for (const declared of versions) {
      const { definition } = declared;
      if (!newest.has(definition)) continue;
      if (builds.some((build) => build.projection === definition.name && !ENDED.has(build.state))) continue;
      begun.push(
        await createBuild(context, declared, {
          swapWhenReady: true,
          swapGroup: null,
          fromRetained: isShortLived(definition),
        }),
      );
    }
    return { begun, rebuilt, left };
  });
}

/**
 * Looks again at builds that a start left alone: the place of one that is still on its way is taken when nobody is about it any
 * more (a deployment went through, or was taken back); one that was swapped or has ended is this process's concern no longer.
 */
export async function takeOverLeft(
  context: RunnerContext,
  left: readonly LeftBuild[],
  policy: CodePolicy,
): Promise<Pick<EnsuredBuilds, 'rebuilt' | 'left'>> {
  return underCreationLock(context.database, async () => {
    const rebuilt: Rebuilt[] = [];
    const still: LeftBuild[] = [];
    for (const { declared, build } of left) {
      const now = await context.builds.get(build.id);
      if (!now || isSameCode(now, declared.fingerprint.code)) continue;
      if (now.state === 'live') warnOfChangedCode(context, now);
      if (!isOnTheWay(now)) continue;
      if (await isCaredFor(context, now)) still.push({ declared, build: now });
      else rebuilt.push(...(await rebuild(context, declared, now, policy)));
    }
    return { rebuilt, left: still };
  });
}

/** Aborting what another process is about would let two deployments end each other's builds with every restart. */
async function isCaredFor({ database, builds }: RunnerContext, build: Build): Promise<boolean> {
  const running = await runningVersions(database, database.schema);
  return running.moving(build).length > 0 || builds.isLeased(build.id);
}

/**
 * What failed goes on from where it stood: its code or its data may be corrected by now. Not where its checkpoints are of another
 * log, or of what the log does not hold any more: it would fail again at every start.
 */
async function takeUp(
  context: RunnerContext,
  declared: DeclaredVersion,
  failed: Build,
  policy: CodePolicy,
): Promise<Pick<EnsuredBuilds, 'begun' | 'rebuilt'>> {
  const { builds, log, logger } = context;
  const fault = await identityFault(failed, await builds.progress(failed.id), log);
  if (fault === null) {
    const taken = await moveIfPossible(builds, failed.id, 'building', { error: null });
    return { begun: taken ? [taken] : [], rebuilt: [] };
  }
  if ((await builds.active(failed.projection)) === null)
    return { begun: [], rebuilt: await rebuild(context, declared, failed, policy) };
  logger.warn(fault.message);
  return { begun: [], rebuilt: [] };
}

/**
 * The next build of a version in place of one with other code. Only where that is what readers see or is on its way there:
 * changing the code of a version that stands by must not bring that version back.
 */
async function rebuild(
  context: RunnerContext,
  declared: DeclaredVersion,
  newest: Build,
  policy: CodePolicy,
): Promise<readonly Rebuilt[]> {
  const { definition } = declared;
  const active = await context.builds.active(definition.name);
  if (
    newest.state === 'standby' ||
    (active && active.id !== newest.id && active.version !== newest.version && newest.state === 'live')
  ) {
    warnOfChangedCode(context, newest);
    return [];
  }
  // What somebody builds to look at before they swap is not swapped by itself because its code was mended.
  const swapWhenReady =
    active === null || newest.swapWhenReady || (policy === 'rebuild' && active.version === definition.version);
  const build = await createBuild(context, declared, {
    swapWhenReady,
    swapGroup: newest.swapGroup,
    fromRetained: isShortLived(definition),
  });
  // Only now: a group must not see the old one ended before the new one has its place.
  if (newest.state !== 'live') await moveIfPossible(context.builds, newest.id, 'aborted');
  return [{ build, instead: newest }];
}

function warnOfChangedCode({ logger }: RunnerContext, build: Build): void {
  logger.warn(
    `${buildLabel(build)}: its handlers changed since it was built; rows made before keep their former meaning. ` +
      `Run \`npx nest-kappa projections rebuild ${build.projection}@${build.version} --swap\`, or \`accept\` that they mean the same.`,
  );
}

function newestOf(builds: readonly Build[], { name, version }: ProjectionDefinition): Build | null {
  return (
    builds.filter((build) => build.projection === name && build.version === version && !ENDED.has(build.state)).at(-1) ?? null
  );
}

/** A topic that is declared to be kept for a while only has no begin to miss. */
function isShortLived(definition: ProjectionDefinition): boolean {
  return definition.from.some((topic) => topic.retention !== null);
}
