import { KappaError } from '../../kernel/errors.js';
import type { Build, BuildState } from './build.js';
import type { Builds } from './builds.js';

/** Moves a build; null where another process was quicker, so that it is in no state any more that moves there. */
export async function moveIfPossible(
  builds: Pick<Builds, 'move'>,
  build: number,
  to: BuildState,
  options: Parameters<Builds['move']>[2] = {},
): Promise<Build | null> {
  try {
    return await builds.move(build, to, options);
  } catch (error) {
    if (!(error instanceof KappaError) || error.code !== 'KAPPA_BUILD_STATE') throw error;
    return null;
  }
}
