import type { Position } from '../../kernel/position.js';
import { buildLabel, positionOf } from '../../modules/projections/build.js';
import type { Session } from '../session.js';

/** A group of ours whose progress stands in PostgreSQL, in one transaction with what was made of the events. */
export interface OwnGroup {
  /** `fines v1 build 3`, `policy receipts`. */
  readonly label: string;
  /** Null where the table of what it is about does not say it here. */
  readonly position: Position | null;
  /** What an operator does instead of moving it. */
  readonly instead: string;
}

/** Ours among the groups of a log, by their names. */
export class OwnGroups {
  readonly #builds = new Map<string, OwnGroup>();

  private constructor(private readonly schema: string) {}

  static async of({ operations, database }: Session): Promise<OwnGroups> {
    const groups = new OwnGroups(database.schema);
    for (const { builds } of await operations.status()) {
      for (const { build, progress } of builds)
        groups.#builds.set(String(build.id), {
          label: buildLabel(build),
          position: positionOf(progress),
          instead: `Build its table anew: npx nest-kappa projections rebuild ${build.projection}@${build.version}.`,
        });
    }
    return groups;
  }

  get(group: string): OwnGroup | null {
    const own = group.startsWith(`${this.schema}.`) ? group.slice(this.schema.length + 1) : '';
    const [, kind, id = ''] = /^(build|policy)-(.+)$/.exec(own) ?? [];
    if (kind === 'build') return this.#builds.get(id) ?? null;
    if (kind !== 'policy') return null;
    return {
      label: `policy ${id}`,
      position: null,
      instead: 'A policy acts on each event once: give it another name to let it begin anew.',
    };
  }
}
