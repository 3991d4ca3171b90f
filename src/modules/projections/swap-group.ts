import { buildLabel, isOnTheWay, type Build } from './build.js';

/** The builds of a swap group as they count: of each projection the newest, for it took the place of those before. */
export function membersOf(group: readonly Build[]): readonly Build[] {
  const newest = new Map<string, Build>();
  for (const build of group) if ((newest.get(build.projection)?.id ?? 0) < build.id) newest.set(build.projection, build);
  return [...newest.values()];
}

/** The members that ended before they could swap: the group waits for them in vain. */
export function lostMembers(group: readonly Build[]): readonly Build[] {
  return membersOf(group).filter(
    ({ state, swapWhenReady }) => state === 'failed' || ((state === 'aborted' || state === 'dropped') && swapWhenReady),
  );
}

/** True when the build was to swap together with others, and its group was given up. */
export function isGroupEnded(build: Build): boolean {
  return build.swapGroup !== null && !build.swapWhenReady && isOnTheWay(build);
}

/** Why a build whose group was given up does not swap by itself, and what to do; `group` is all of it. */
export function groupEndedText(build: Build, group: readonly Build[]): string {
  const lost = lostMembers(group).filter(({ id }) => id !== build.id);
  const why =
    lost.length === 0
      ? 'a build that it was to swap with had ended'
      : lost.map((member) => `${buildLabel(member)} of its group is ${member.state}`).join(', ');
  const names = membersOf(group).map(({ projection, version }) => `${projection}@${version}`);
  return (
    `${buildLabel(build)} does not swap by itself any more: ${why}. Correct that and run ` +
    `\`npx nest-kappa projections rebuild ${names.join(' ')} --swap --group\` again, or swap it alone: ` +
    `\`npx nest-kappa projections swap ${build.projection}\`.`
  );
}
