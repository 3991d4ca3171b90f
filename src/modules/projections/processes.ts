import type { Queryable } from '../../database/database.js';
import { quoteIdentifier } from '../../database/identifiers.js';
import type { Build, BuildState } from './build.js';
import type { ProjectionDefinition } from './projection.js';

/** A process says that it runs every two seconds; one that was silent for longer than this has ended or hangs. */
export const SILENT_AFTER_SECONDS = 10;

const RUNNING = (schema: string): string => `
  select v.projection, v.version, count(distinct p.id) as processes
  from ${schema}.processes p, jsonb_to_recordset(p.versions) as v(projection text, version int)
  where p.seen_at > clock_timestamp() - make_interval(secs => ${SILENT_AFTER_SECONDS})
  group by 1, 2`;

/** How many running processes have the code of a version. */
export type RunningVersions = ReadonlyMap<VersionKey, number>;

/** `fines@2` */
export type VersionKey = `${string}@${number}`;

export function versionKey({ projection, version }: { readonly projection: string; readonly version: number }): VersionKey {
  return `${projection}@${version}`;
}

export async function runningVersions(on: Queryable, schema: string): Promise<RunningVersions> {
  const { rows } = await on.query<{ projection: string; version: number; processes: number }>(RUNNING(quoteIdentifier(schema)));
  return new Map(rows.map((row) => [versionKey(row), row.processes]));
}

/** Builds in these states need somebody who moves them. */
const MOVING: readonly BuildState[] = ['planned', 'building', 'catching-up', 'ready', 'live', 'standby'];

/** True when the build's version stands neither in a running process nor in the definitions at hand: nobody moves it. */
export function isOrphaned(build: Build, running: RunningVersions, definitions: readonly ProjectionDefinition[]): boolean {
  if (!MOVING.includes(build.state) || (running.get(versionKey(build)) ?? 0) > 0) return false;
  return definitionOf(build, definitions) === null;
}

/** The definition of a build's version, where it is loaded. */
export function definitionOf(
  build: Pick<Build, 'projection' | 'version'>,
  definitions: readonly ProjectionDefinition[],
): ProjectionDefinition | null {
  return definitions.find(({ name, version }) => name === build.projection && version === build.version) ?? null;
}
