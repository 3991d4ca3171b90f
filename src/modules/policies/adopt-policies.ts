import { qualified } from '../../database/identifiers.js';
import { adoptCheckpoints, standsOn, type LogMove } from '../../log/adopt-checkpoints.js';
import type { PolicyProgress } from './policy-progress.js';
import type { PolicyDefinition } from './policy.js';

export interface AdoptedPolicies {
  /** By name. Their checkpoints are of the new log now. */
  readonly adopted: readonly string[];
  /** Those that stay as they are, and why. */
  readonly left: readonly { readonly policy: string; readonly reason: string }[];
}

/**
 * Carries the checkpoints of policies over to a log that is proven to be the same, so that each handles next what it would have
 * handled next. A policy moves wholly or not at all; lines of topics that its code reads no more are no part of it. What stands
 * aside of it comes along: a dead letter names its record by the offset alone.
 */
export async function adoptPolicies(
  move: LogMove,
  progress: Pick<PolicyProgress, 'list' | 'partitions'>,
  policies: readonly Pick<PolicyDefinition, 'name' | 'from'>[],
): Promise<AdoptedPolicies> {
  const { database, from } = move;
  const table = { name: qualified(database.schema, 'policy_progress'), owner: 'policy' };
  const adopted: string[] = [];
  const left: { readonly policy: string; readonly reason: string }[] = [];
  for (const { name } of await progress.list()) {
    const declared = policies.find((policy) => policy.name === name);
    const checkpoints = (await progress.partitions(name)).filter(
      (line) => declared === undefined || declared.from.some((topic) => topic.name === line.topic),
    );
    if (!(await standsOn(from, checkpoints))) continue;
    const reason = await adoptCheckpoints(move, {
      table,
      id: name,
      checkpoints,
      moved: async (on) => {
        await on.query(
          `update ${qualified(database.schema, 'policies')} set error = null
           where name = $1 and error ->> 'code' = 'KAPPA_LOG_CHANGED'`,
          [name],
        );
      },
    });
    if (reason === null) adopted.push(name);
    else left.push({ policy: name, reason });
  }
  return { adopted, left };
}
