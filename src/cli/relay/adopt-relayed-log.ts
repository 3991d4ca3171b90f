import { openOf } from '../../database/dead-letters/dead-letter.js';
import { DeadLetterStore } from '../../database/dead-letters/dead-letter-store.js';
import type { Position } from '../../kernel/position.js';
import { adoptPolicies, type AdoptedPolicies } from '../../modules/policies/adopt-policies.js';
import { policyOwner } from '../../modules/policies/policy-owner.js';
import { PolicyStore } from '../../modules/policies/policy-store.js';
import { adoptBuilds, type AdoptedBuilds } from '../../modules/projections/adopt-builds.js';
import { BuildStore } from '../../modules/projections/build-store.js';
import { buildLabel } from '../../modules/projections/build.js';
import { letterOwner } from '../../modules/projections/dead-letters/letter-owner.js';
import type { CommandContext } from '../command-context.js';
import { plural } from '../format.js';
import type { Output } from '../output.js';
import type { Session } from '../session.js';
import { compareTopics, verdict } from './relay-work.js';

/** What was carried over, and what was not. */
export interface Adopted {
  readonly builds: AdoptedBuilds;
  readonly policies: AdoptedPolicies;
  /** Events that stand aside of what was carried over. */
  readonly waiting: number;
}

const NOTHING: Adopted = { builds: { adopted: [], left: [] }, policies: { adopted: [], left: [] }, waiting: 0 };

/** `relay adopt`: exit code 1 where topics differ, or something stays behind. */
export async function adoptRelayedLog(context: CommandContext): Promise<number> {
  const session = await context.open({ write: true });
  const topics = await compareTopics(context, session, [], 10);
  const { out } = context;
  const differences = topics.reduce((sum, topic) => sum + topic.differences, 0);
  const proven = Object.assign({}, ...topics.map(({ upTo }) => upTo)) as Position;
  const adopted = differences > 0 ? NOTHING : await adopt(session, proven);
  const { builds, policies, waiting } = adopted;
  out.last({
    differences,
    topics,
    builds: {
      adopted: builds.adopted.map(({ id }) => id),
      left: builds.left.map(({ build, reason }) => ({ build: build.id, reason })),
    },
    policies,
    waiting,
  });
  if (!out.json) {
    const verdicts = topics.map((topic) => verdict(topic, out));
    out.answer(null, () => [...verdicts, ...(differences > 0 ? [] : adoptedText(adopted, out))].join('\n'));
  }
  return differences + builds.left.length + policies.left.length === 0 ? 0 : 1;
}

async function adopt({ database, outbox, log, definitions }: Session, proven: Position): Promise<Adopted> {
  const move = { database, from: outbox, to: log, proven };
  const builds = await adoptBuilds(move, new BuildStore(database));
  const policies = await adoptPolicies(move, new PolicyStore(database), definitions.policies);
  const owners = [...builds.adopted.map(({ id }) => letterOwner(id)), ...policies.adopted.map(policyOwner)];
  const letters = await new DeadLetterStore(database).counts(owners);
  return { builds, policies, waiting: [...letters.values()].reduce((sum, counts) => sum + openOf(counts), 0) };
}

/** A line each, and how many were carried over. */
export function adoptedText({ builds, policies, waiting }: Adopted, { color }: Pick<Output, 'color'>): readonly string[] {
  const verdicts = [
    ...builds.adopted.map((build) => `${color.green(buildLabel(build))} goes on where it stands.`),
    ...policies.adopted.map((policy) => `${color.green(`policy ${policy}`)} goes on where it stands.`),
    ...builds.left.map(({ build, reason }) => `${color.yellow(buildLabel(build))} must be built anew: ${reason}.`),
    ...policies.left.map(
      ({ policy, reason }) =>
        `${color.yellow(`policy ${policy}`)} stays behind: ${reason}. Say where it goes on: npx nest-kappa policies accept ${policy}.`,
    ),
  ];
  if (verdicts.length === 0) return ['No build and no policy stands on the log in PostgreSQL.'];
  const carried = `${plural(builds.adopted.length, 'build')} and ${plural(policies.adopted.length, 'policy', 'policies')} carried over`;
  return [...verdicts, `${carried}${waiting === 0 ? '' : `, with ${plural(waiting, 'event')} that stand aside`}.`];
}
