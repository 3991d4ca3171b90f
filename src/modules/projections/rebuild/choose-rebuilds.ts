import { randomUUID } from 'node:crypto';
import { didYouMean } from '../../../kernel/did-you-mean.js';
import { KappaError } from '../../../kernel/errors.js';
import type { Build, BuildState } from '../build.js';
import { fingerprintOf, isSameCode, judgeBuild, shapeDifferences, type Fingerprint } from '../fingerprint.js';
import type { RebuildOptions } from '../operations.js';
import type { ProjectionDefinition } from '../projection.js';
import type { RunnerContext } from '../runner/runner-context.js';
import { tableDefinition } from '../table-definition.js';
import { createBuild } from './create-build.js';
import { underCreationLock } from './creation-lock.js';

export interface ChosenRebuild {
  readonly build: Build;
  readonly definition: ProjectionDefinition;
}

/** On their way: a rebuild goes on with one of these when it is of the same code, and takes the place of it otherwise. */
const ON_THE_WAY: readonly BuildState[] = ['planned', 'building', 'catching-up', 'ready', 'failed'];

/**
 * The builds that a rebuild carries out: one that was begun of the same code goes on (a killed rebuild resumes), else the
 * version's next build is made.
 * @throws KAPPA_UNKNOWN_PROJECTION; KAPPA_SHAPE_CHANGED under an unchanged version that readers may see; KAPPA_LOG_TRUNCATED
 */
export async function chooseRebuilds(
  context: RunnerContext,
  definitions: readonly ProjectionDefinition[],
  options: RebuildOptions,
): Promise<readonly ChosenRebuild[]> {
  const wanted =
    options.all === true ? newestVersions(definitions) : options.projections.map((name) => definitionNamed(name, definitions));
  const group = options.swap === true && options.group === true ? randomUUID() : null;
  return underCreationLock(context.database, async () => {
    const chosen: ChosenRebuild[] = [];
    for (const definition of new Set(wanted))
      chosen.push({ definition, build: await chooseOne(context, definition, options, group) });
    return chosen;
  });
}

async function chooseOne(
  { builds, ...context }: RunnerContext,
  definition: ProjectionDefinition,
  options: RebuildOptions,
  group: string | null,
): Promise<Build> {
  const declared = fingerprintOf(definition, tableDefinition(definition));
  const own = (await builds.list(definition.name)).filter((build) => build.version === definition.version);
  for (const build of own) if (build.state === 'live' || build.state === 'standby') judgeBuild(build, declared, 'rebuild');

  const begun = own.filter((build) => ON_THE_WAY.includes(build.state));
  const same = begun.filter((build) => isSame(build, declared)).at(-1);
  for (const build of begun) if (build !== same) await builds.move(build.id, 'aborted');
  if (same) {
    const going = same.state === 'failed' ? await builds.move(same.id, 'building') : same;
    return options.swap === true ? builds.swapWhenReady(going.id, group) : going;
  }
  const first = (await builds.active(definition.name)) === null;
  return createBuild({ ...context, builds }, definition, {
    swapWhenReady: options.swap === true || first,
    swapGroup: group,
    fromRetained: options.fromRetained ?? definition.from.some((topic) => topic.retention !== null),
  });
}

function isSame(build: Build, declared: Fingerprint): boolean {
  return shapeDifferences(build.shape, declared.shape).length === 0 && isSameCode(build, declared.code);
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

function newestVersions(definitions: readonly ProjectionDefinition[]): readonly ProjectionDefinition[] {
  const newest = new Map<string, ProjectionDefinition>();
  for (const definition of definitions) {
    if ((newest.get(definition.name)?.version ?? 0) < definition.version) newest.set(definition.name, definition);
  }
  return [...newest.values()];
}
