import { qualified } from '../../database/identifiers.js';
import { adoptCheckpoints, standsOn, type LogMove } from '../../log/adopt-checkpoints.js';
import type { Build, BuildState } from './build.js';
import type { Builds } from './builds.js';

export interface AdoptedBuilds {
  /** Their checkpoints are of the new log now. */
  readonly adopted: readonly Build[];
  /** Those that stay as they are, and why: rebuild them. */
  readonly left: readonly { readonly build: Build; readonly reason: string }[];
}

const PROJECTING: readonly BuildState[] = ['building', 'catching-up', 'ready', 'live', 'standby'];

/**
 * Carries the checkpoints of builds over to a log that is proven to be the same, so that nothing needs to be built anew. A build
 * moves wholly or not at all. What stands aside of it comes along: a dead letter names its record by the offset alone.
 */
export async function adoptBuilds(move: LogMove, builds: Builds): Promise<AdoptedBuilds> {
  const { database, from, to } = move;
  const table = { name: qualified(database.schema, 'progress'), owner: 'build_id' };
  const facts = { from: await from.identity(), to: await to.identity() };
  const adopted: Build[] = [];
  const left: { readonly build: Build; readonly reason: string }[] = [];
  for (const build of await builds.list()) {
    if (!PROJECTING.includes(build.state)) continue;
    const checkpoints = await builds.progress(build.id);
    if (!(await standsOn(from, checkpoints))) continue;
    const reason = await adoptCheckpoints(move, {
      table,
      id: build.id,
      checkpoints,
      moved: async (on) => {
        if (build.error?.code === 'KAPPA_LOG_CHANGED')
          await on.query(`update ${qualified(database.schema, 'builds')} set error = null where id = $1`, [build.id]);
        await builds.audit({ projection: build.projection, build: build.id, action: 'adopt-log', facts, on });
      },
    });
    if (reason === null) adopted.push(build);
    else left.push({ build, reason });
  }
  return { adopted, left };
}
