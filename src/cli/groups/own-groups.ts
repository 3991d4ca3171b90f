import { partitionKey, type Position } from '../../kernel/position.js';
import { ownGroupPrefix } from '../../log/postgres/log-identity.js';
import { buildLabel, positionOf } from '../../modules/projections/build.js';
import { policyGroup } from '../../modules/policies/policy-group.js';
import type { Session } from '../session.js';

/** A group of ours whose progress stands in PostgreSQL, in one transaction with what was made of the events. */
export interface OwnGroup {
  /** `fines v1 build 3`, `policy receipts`. */
  readonly label: string;
  readonly position: Position;
  /** What an operator does instead of moving it. */
  readonly instead: string;
}

/** The groups of this application's builds and policies, by name. */
export async function ownGroups({ operations, policies, database }: Session): Promise<ReadonlyMap<string, OwnGroup>> {
  const prefix = await ownGroupPrefix(database);
  const groups = new Map<string, OwnGroup>();
  for (const { builds } of await operations.status()) {
    for (const { build, progress } of builds)
      groups.set(`${prefix}.build-${build.id}`, {
        label: buildLabel(build),
        position: positionOf(progress),
        instead: `Build its table anew: npx nest-kappa projections rebuild ${build.projection}@${build.version}.`,
      });
  }
  for (const { name, progress } of await policies.status())
    groups.set(policyGroup(prefix, name), {
      label: `policy ${name}`,
      position: Object.fromEntries(
        progress.map(({ topic, partition, nextOffset }) => [partitionKey(topic, partition), nextOffset]),
      ),
      instead: 'A policy acts on each event once: give it another name to let it begin anew.',
    });
  return groups;
}
