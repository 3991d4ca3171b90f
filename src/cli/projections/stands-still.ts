import type { Output } from '../output.js';

/** Said of what readers see from now on while no running process has its version. */
export function standsStill(build: { readonly projection: string; readonly version: number }, out: Output): string {
  const label = `${build.projection} v${build.version}`;
  return out.color.yellow(
    `No running process has ${label}: its table stands still until one that has it starts. Deploy or start it.`,
  );
}
