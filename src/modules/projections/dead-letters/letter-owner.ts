/** What stands before the number of a build, where dead letters name whose they are. */
export const BUILD_OWNER = 'build';

/** `build:7` */
export function letterOwner(build: number): string {
  return `${BUILD_OWNER}:${build}`;
}

/** The id of the build; null for an owner of another kind. */
export function buildOfOwner(owner: string): number | null {
  const [kind, id] = owner.split(':');
  return kind === BUILD_OWNER ? Number(id) : null;
}
