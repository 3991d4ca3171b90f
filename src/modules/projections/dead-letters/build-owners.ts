import type { LetterOwnerInfo, LetterOwners } from '../../../database/dead-letters/letter-owners.js';
import { buildLabel, FOLLOWING, type Build, type BuildState } from '../build.js';
import { withHelp, type HelpContext } from '../supervisor/helping-runners.js';
import { BUILD_OWNER, letterOwner } from './letter-owner.js';

/** Nobody projects these any more. */
const ENDED: readonly BuildState[] = ['retired', 'aborted', 'dropped'];

/** Builds as owners of dead letters. */
export class BuildOwners implements LetterOwners {
  readonly kind = BUILD_OWNER;

  constructor(private readonly context: HelpContext) {}

  async all(): Promise<ReadonlyMap<string, LetterOwnerInfo>> {
    return new Map((await this.context.builds.list()).map((build) => [letterOwner(build.id), infoOf(build)]));
  }

  async withHelp<T>(owners: readonly string[], work: () => Promise<T>): Promise<T> {
    const builds = (await this.context.builds.list()).filter((build) => owners.includes(letterOwner(build.id)));
    return withHelp(this.context, builds, work);
  }
}

function infoOf(build: Build): LetterOwnerInfo {
  const about = { name: build.projection, label: buildLabel(build) };
  if (FOLLOWING.includes(build.state)) return { ...about, settles: 'now', remark: null };
  if (ENDED.includes(build.state)) return { ...about, settles: 'never', remark: `it is ${build.state}` };
  return {
    ...about,
    settles: 'later',
    remark: `it is ${build.state}: carried out when the rebuild goes on (npx nest-kappa projections rebuild ${build.projection}@${build.version})`,
  };
}
