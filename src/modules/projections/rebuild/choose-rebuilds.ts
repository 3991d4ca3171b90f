import { randomUUID } from 'node:crypto';
import { didYouMean } from '../../../kernel/did-you-mean.js';
import { KappaError } from '../../../kernel/errors.js';
import { buildLabel, isOnTheWay, type Build } from '../build.js';
import { identityFault } from '../check-identity.js';
import { declaredVersion, newestVersions, type DeclaredVersion } from '../declared-version.js';
import { isSameCode, judgeBuild, shapeDifferences, type Fingerprint } from '../fingerprint.js';
import { moveIfPossible } from '../move-if-possible.js';
import type { RebuildOptions } from '../operations.js';
import { runningVersions, versionKey, type VersionKey } from '../processes.js';
import type { ProjectionDefinition } from '../projection.js';
import type { RunnerContext } from '../runner/runner-context.js';
import { membersOf } from '../swap-group.js';
import { createBuild } from './create-build.js';
import { underCreationLock } from './creation-lock.js';

export interface ChosenRebuild {
  readonly build: Build;
  readonly definition: ProjectionDefinition;
}

/** One command as it chooses: what it asks for, and the group that its builds swap in. */
interface Command {
  readonly options: RebuildOptions;
  readonly group: string | null;
  readonly versions: ReadonlySet<VersionKey>;
}

/**
 * The builds that a rebuild carries out: work that was interrupted goes on where it was begun of the same code, else the version's
 * next build is made, and what was on its way is aborted.
 *
 * Interrupted are builds that are planned, building, catching up or failed. A ready build is finished work, unless it still was
 * to swap and this command is the one that asked for it: then only the swap is left to do.
 * @throws KAPPA_UNKNOWN_PROJECTION; KAPPA_SHAPE_CHANGED under an unchanged version that readers may see; KAPPA_LOG_TRUNCATED
 */
export async function chooseRebuilds(
  context: RunnerContext,
  definitions: readonly ProjectionDefinition[],
  options: RebuildOptions,
): Promise<readonly ChosenRebuild[]> {
  const wanted = new Set(
    options.all === true ? newestVersions(definitions) : options.projections.map((name) => definitionNamed(name, definitions)),
  );
  const command: Command = {
    options,
    group: options.swap === true && options.group === true ? randomUUID() : null,
    versions: new Set([...wanted].map(({ name, version }) => versionKey({ projection: name, version }))),
  };
  const versions = [...wanted].map(declaredVersion);
  return underCreationLock(context.database, async () => {
    const chosen: ChosenRebuild[] = [];
    for (const declared of versions)
      chosen.push({ definition: declared.definition, build: await chooseOne(context, declared, command) });
    return chosen;
  });
}

async function chooseOne(context: RunnerContext, declared: DeclaredVersion, command: Command): Promise<Build> {
  const { builds } = context;
  const { definition, fingerprint } = declared;
  const { options, group } = command;
  const own = (await builds.list(definition.name)).filter((build) => build.version === definition.version);
  for (const build of own) if (build.state === 'live' || build.state === 'standby') judgeBuild(build, fingerprint, 'rebuild');

  const begun = own.filter(isOnTheWay);
  for (const build of [...begun].reverse()) {
    if (!isSame(build, fingerprint) || !(await goesOn(context, build, command))) continue;
    const going = build.state === 'failed' ? await moveIfPossible(builds, build.id, 'building') : build;
    if (!going) continue;
    const taken = options.swap === true ? await builds.swapWhenReady(going.id, group) : going;
    await supersede(context, begun, taken, fingerprint);
    return taken;
  }
  const first = (await builds.active(definition.name)) === null;
  const made = await createBuild(context, declared, {
    swapWhenReady: options.swap === true || first,
    swapGroup: group,
    fromRetained: options.fromRetained ?? definition.from.some((topic) => topic.retention !== null),
  });
  await supersede(context, begun, made, fingerprint);
  return made;
}

function isSame(build: Build, declared: Fingerprint): boolean {
  return shapeDifferences(build.shape, declared.shape).length === 0 && isSameCode(build, declared.code);
}

/** True when the build is work that was interrupted, and its checkpoints still can be gone on from. */
async function goesOn(context: RunnerContext, build: Build, command: Command): Promise<boolean> {
  const { builds, log } = context;
  if (build.state === 'ready' && !(await onlySwapIsLeft(context, build, command))) return false;
  return (await identityFault(build, await builds.progress(build.id), log)) === null;
}

/** A ready build that waits for its swap is gone on with by the command that asked for it; with a group, by one that names all of it. */
async function onlySwapIsLeft(
  { builds }: RunnerContext,
  build: Build,
  { options, group, versions }: Command,
): Promise<boolean> {
  if (options.swap !== true) return false;
  if (build.swapGroup === null || group === null) return build.swapGroup === group && build.swapWhenReady;
  const members = membersOf(await builds.group(build.swapGroup));
  return members.length === versions.size && members.every((member) => versions.has(versionKey(member)));
}

/** Only once the new build stands: a group must not see a member ended before another has its place. */
async function supersede(
  { builds, database, logger }: RunnerContext,
  begun: readonly Build[],
  by: Build,
  declared: Fingerprint,
): Promise<void> {
  const running = await runningVersions(database, database.schema);
  for (const build of begun) {
    if (build.id === by.id || !(await moveIfPossible(builds, build.id, 'aborted'))) continue;
    const others = running.moving(build).length;
    const what = isSame(build, declared)
      ? build.state
      : `${build.state}, with other code${others === 0 ? '' : ` that ${others} running ${others === 1 ? 'process has' : 'processes have'}`}`;
    logger.warn(`${buildLabel(build)} (${what}) is aborted: ${buildLabel(by)} takes its place`);
  }
}

/** `fines` is its newest version, `fines@2` that one. */
function definitionNamed(text: string, definitions: readonly ProjectionDefinition[]): ProjectionDefinition {
  const [name = '', version] = text.split('@');
  const found = definitions.filter((one) => one.name === name && (version === undefined || String(one.version) === version));
  const newest = newestVersions(found)[0];
  if (newest) return newest;
  const known = definitions.map((one) => `${one.name}@${one.version}`);
  const names = version === undefined ? [...new Set(definitions.map((one) => one.name))] : known;
  throw new KappaError('KAPPA_UNKNOWN_PROJECTION', `${text} is not among the loaded definitions${didYouMean(text, names)}`, {
    facts: { projection: text, known },
    nextStep: 'Name one that is declared, as name or name@version.',
  });
}
