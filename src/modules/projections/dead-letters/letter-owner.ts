/** What stands before the number of a build, where dead letters name whose they are. */
export const BUILD_OWNER = 'build';

/** `build:7` */
export function letterOwner(build: number): string {
  return `${BUILD_OWNER}:${build}`;
}
