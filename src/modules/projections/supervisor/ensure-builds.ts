import { KappaError } from '../../../kernel/errors.js';
import { buildLabel, type Build } from '../build.js';
import { fingerprintOf, judgeBuild, type CodePolicy } from '../fingerprint.js';
import type { ProjectionDefinition } from '../projection.js';
import { createBuild } from '../rebuild/create-build.js';
import { underCreationLock } from '../rebuild/creation-lock.js';
import type { RunnerContext } from '../runner/runner-context.js';
import { tableDefinition } from '../table-definition.js';

const ENDED = new Set<Build['state']>(['retired', 'dropped', 'aborted']);

/** What a start found to be done. */
export interface EnsuredBuilds {
  /** First builds, and what failed and is tried again. */
  readonly begun: readonly Build[];
  /** New builds of versions whose code changed, and the builds they take the place of. */
  readonly rebuilt: readonly { readonly build: Build; readonly instead: Build }[];
}

/**
 * Compares what the code declares with the builds there are: makes the first build of a projection that has none, takes up what
 * failed, and does what the policy says where handler code changed.
 * @throws KAPPA_SHAPE_CHANGED before anything is begun; KAPPA_LOG_TRUNCATED for a first build from a log whose begin is gone
 */
export async function ensureBuilds(
  context: RunnerContext,
  projections: readonly ProjectionDefinition[],
  policy: CodePolicy,
): Promise<EnsuredBuilds> {
  return underCreationLock(context.database, async () => {
    const begun: Build[] = [];
    const rebuilt: { readonly build: Build; readonly instead: Build }[] = [];
    const judged = new Map<ProjectionDefinition, { readonly newest: Build; readonly verdict: ReturnType<typeof judgeBuild> }>();
    const builds = await context.builds.list();
    for (const definition of projections) {
      const newest = newestOf(builds, definition);
      if (newest)
        judged.set(definition, {
          newest,
          verdict: judgeBuild(
            newest,
            fingerprintOf(definition, tableDefinition(definition)),
            isOnTheWay(newest) ? 'rebuild' : policy,
          ),
        });
    }
    for (const [definition, { newest, verdict }] of judged) {
      if (verdict === 'warn') warnOfChangedCode(context, newest);
      const instead = verdict === 'rebuild' ? await rebuild(context, definition, newest, policy) : null;
      if (instead) rebuilt.push(instead);
      else if (newest.state === 'failed') begun.push(await context.builds.move(newest.id, 'building', { error: null }));
    }
    for (const definition of newestVersions(projections)) {
      if (builds.some((build) => build.projection === definition.name && !ENDED.has(build.state))) continue;
      begun.push(
        await createBuild(context, definition, {
          swapWhenReady: true,
          swapGroup: null,
          fromRetained: isShortLived(definition),
        }),
      );
    }
    return { begun, rebuilt };
  });
}

/**
 * The next build of a version whose code changed. Only where its build is what readers see or is on its way there: changing the
 * code of a version that stands by must not bring that version back.
 */
async function rebuild(context: RunnerContext, definition: ProjectionDefinition, newest: Build, policy: CodePolicy) {
  const active = await context.builds.active(definition.name);
  if (
    newest.state === 'standby' ||
    (active && active.id !== newest.id && active.version !== newest.version && newest.state === 'live')
  ) {
    warnOfChangedCode(context, newest);
    return null;
  }
  // What somebody builds to look at before they swap is not swapped by itself because its code was mended.
  const swapWhenReady =
    active === null || newest.swapWhenReady || (policy === 'rebuild' && active.version === definition.version);
  if (newest.state !== 'live') await abort(context, newest);
  const build = await createBuild(context, definition, {
    swapWhenReady,
    swapGroup: newest.swapGroup,
    fromRetained: isShortLived(definition),
  });
  return { build, instead: newest };
}

/** Not seen by readers yet: going on with other code would mix two meanings in its rows, and nothing is lost by building anew. */
function isOnTheWay({ state }: Build): boolean {
  return state === 'planned' || state === 'building' || state === 'catching-up' || state === 'ready' || state === 'failed';
}

async function abort(context: RunnerContext, build: Build): Promise<void> {
  await context.builds.move(build.id, 'aborted').catch((error: unknown) => {
    if (!(error instanceof KappaError) || error.code !== 'KAPPA_BUILD_STATE') throw error;
  });
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

function newestVersions(projections: readonly ProjectionDefinition[]): readonly ProjectionDefinition[] {
  const newest = new Map<string, ProjectionDefinition>();
  for (const definition of projections) {
    if ((newest.get(definition.name)?.version ?? 0) < definition.version) newest.set(definition.name, definition);
  }
  return [...newest.values()];
}

/** A topic that is declared to be kept for a while only has no begin to miss. */
function isShortLived(definition: ProjectionDefinition): boolean {
  return definition.from.some((topic) => topic.retention !== null);
}
