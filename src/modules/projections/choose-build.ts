import { KappaError } from '../../kernel/errors.js';
import { buildLabel, type Build, type BuildState } from './build.js';

export interface Chosen {
  /** Id of a build. */
  readonly build?: number;
  readonly version?: number;
}

/** The build to swap to: the newest ready one, else (forward again after a rollback) the newest standby one made after the live one. @throws KAPPA_NOTHING_READY */
export function chooseSwap(name: string, builds: readonly Build[], active: Build | null, { build, version }: Chosen): Build {
  if (build !== undefined) return named(name, builds, build);
  const possible = builds.filter((one) => version === undefined || one.version === version);
  const ready =
    newest(possible, ['ready']) ??
    newest(
      possible.filter((one) => active !== null && one.id > active.id),
      ['standby'],
    );
  if (ready) return ready;
  const what = version === undefined ? name : `${name} v${version}`;
  throw new KappaError('KAPPA_NOTHING_READY', `${what} has no build that is ready to become live${statesOf(possible)}`, {
    facts: { projection: name, version: version ?? null },
    nextStep: `Build one: npx nest-kappa projections rebuild ${name}${version === undefined ? '' : `@${version}`} --swap.`,
  });
}

/** The build to go back to: the one that was live most lately. @throws KAPPA_NO_STANDBY */
export function chooseRollback(name: string, builds: readonly Build[], { build }: Chosen): Build {
  if (build !== undefined) return named(name, builds, build);
  const standby = builds
    .filter((one) => one.state === 'standby')
    .sort((a, b) => (a.stateSince < b.stateSince ? -1 : 1))
    .at(-1);
  if (standby) return standby;
  throw new KappaError('KAPPA_NO_STANDBY', `${name} has no standby build to go back to${statesOf(builds)}`, {
    facts: { projection: name },
    nextStep: 'Declare the former version and rebuild it: npx nest-kappa projections rebuild <name>@<version> --swap.',
  });
}

/** The build to compare with the live one: the newest that is ready or on its way, else the newest standby. @throws KAPPA_NOTHING_TO_VERIFY */
export function chooseCandidate(name: string, builds: readonly Build[], { build }: Chosen): Build {
  if (build !== undefined) return named(name, builds, build);
  const candidate = newest(builds, ['ready', 'catching-up']) ?? newest(builds, ['standby']);
  if (candidate) return candidate;
  throw new KappaError('KAPPA_NOTHING_TO_VERIFY', `${name} has no build to compare with the live one${statesOf(builds)}`, {
    facts: { projection: name },
    nextStep: `Build one: npx nest-kappa projections rebuild ${name}.`,
  });
}

function newest(builds: readonly Build[], states: readonly BuildState[]): Build | null {
  return (
    builds
      .filter((one) => states.includes(one.state))
      .sort((a, b) => a.id - b.id)
      .at(-1) ?? null
  );
}

function named(name: string, builds: readonly Build[], id: number): Build {
  const found = builds.find((one) => one.id === id);
  if (found) return found;
  throw new KappaError('KAPPA_UNKNOWN_BUILD', `${name} has no build with id ${id}${statesOf(builds)}`, {
    facts: { projection: name, build: id, known: builds.map((one) => one.id) },
    nextStep: `See \`npx nest-kappa projections status ${name}\`.`,
  });
}

function statesOf(builds: readonly Build[]): string {
  return builds.length === 0 ? '' : ` (${builds.map((one) => `${buildLabel(one)} is ${one.state}`).join(', ')})`;
}
