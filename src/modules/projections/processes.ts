import type { Queryable } from '../../database/database.js';
import { quoteIdentifier } from '../../database/identifiers.js';
import type { Build, BuildState } from './build.js';
import { movesBuild } from './fingerprint.js';
import type { ProjectionDefinition } from './projection.js';

/** A process says that it runs every two and a half seconds; one that was silent for longer than this has ended or hangs. */
export const SILENT_AFTER_SECONDS = 10;

const RUNNING = (schema: string): string => `
  select p.application, p.host, p.pid, v.projection, v.version, v.code
  from ${schema}.processes p, jsonb_to_recordset(p.versions) as v(projection text, version int, code text)
  where p.seen_at > clock_timestamp() - make_interval(secs => ${SILENT_AFTER_SECONDS})
  order by p.started_at, p.id`;

/** A running process that projects. */
export interface ProjectingProcess {
  readonly application: string;
  readonly host: string;
  readonly pid: number;
}

/** One version that a running process has code for. */
interface RunningVersion extends ProjectingProcess {
  readonly projection: string;
  readonly version: number;
  /** Hash of its handlers. */
  readonly code: string;
}

/** Which running processes have code of which versions. */
export class RunningVersions {
  constructor(private readonly running: readonly RunningVersion[]) {}

  /** Those that have the version of the build, whichever code of it. */
  having(build: Pick<Build, 'projection' | 'version'>): readonly ProjectingProcess[] {
    return this.#of(build).map(processOf);
  }

  /** Those that move the build on. */
  moving(build: Build): readonly ProjectingProcess[] {
    return this.#of(build)
      .filter(({ code }) => movesBuild(build, code))
      .map(processOf);
  }

  #of({ projection, version }: Pick<Build, 'projection' | 'version'>): readonly RunningVersion[] {
    return this.running.filter((one) => one.projection === projection && one.version === version);
  }
}

export async function runningVersions(on: Queryable, schema: string): Promise<RunningVersions> {
  const { rows } = await on.query<RunningVersion>(RUNNING(quoteIdentifier(schema)));
  return new RunningVersions(rows);
}

function processOf({ application, host, pid }: ProjectingProcess): ProjectingProcess {
  return { application, host, pid };
}

/** `fines@2` */
export type VersionKey = `${string}@${number}`;

export function versionKey({ projection, version }: { readonly projection: string; readonly version: number }): VersionKey {
  return `${projection}@${version}`;
}

/** Builds in these states need somebody who moves them. */
const MOVING: readonly BuildState[] = ['planned', 'building', 'catching-up', 'ready', 'live', 'standby'];

/** True when the build's version stands neither in a running process nor in the definitions at hand: nobody moves it. */
export function isOrphaned(build: Build, running: RunningVersions, definitions: readonly ProjectionDefinition[]): boolean {
  if (!MOVING.includes(build.state) || running.having(build).length > 0) return false;
  return definitionOf(build, definitions) === null;
}

/** The definition of a build's version, where it is loaded. */
export function definitionOf(
  build: Pick<Build, 'projection' | 'version'>,
  definitions: readonly ProjectionDefinition[],
): ProjectionDefinition | null {
  return definitions.find(({ name, version }) => name === build.projection && version === build.version) ?? null;
}
